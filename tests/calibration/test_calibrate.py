import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from steel_defect_detection import calibration, checkpoints
from steel_defect_detection.calibration import Aim
from steel_defect_detection.calibration.answers import Answers
from steel_defect_detection.errors import (
    AnnotationError,
    CheckpointError,
    ConfigError,
    ImageError,
    NoImagesError,
)
from steel_defect_detection.predictors.load import load_predictor
from tests.calibration import toys
from tests.calibration.test_looks import broken

EVERY = ("independent", "exclusive", "with good", "kernels", "segmenter", "two_head")


def calibrated(kind: str, **settings):
    return calibration.calibrate(toys.model(kind), toys.truth_for(kind), device="cpu", **settings)


def predictions(checkpoint, dataset, **settings) -> list:
    """What a predictor says, and which classes it names."""
    predictor = load_predictor(checkpoint, runtime="pytorch", device="cpu", **settings)
    said = [predictor.predict(sample.image) for sample in dataset]
    return [(one, predictor.shown(one).tolist()) for one in said]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*EVERY, "cascade", "shared_backbone"])
def test_without_an_aim_every_decision_stays_and_twice_is_once(kind, tmp_path):
    dataset = toys.truth_for(kind)
    found = calibrated(kind)
    found.save(tmp_path / "model.safetensors")
    after = checkpoints.load(tmp_path / "model.safetensors")
    # Images that would be called unfamiliar are looked at all the same.
    before = predictions(toys.model(kind), dataset)
    now = predictions(after, dataset, least_familiarity=0)
    assert [shown for _, shown in now] == [shown for _, shown in before]
    assert [one.verdict for one, _ in now] == [one.verdict for one, _ in before]
    for (old, _), (new, _) in zip(before, now, strict=True):
        assert new.label_map is None or np.array_equal(new.label_map, old.label_map)
        assert new.familiarity is not None
    twice = calibration.calibrate(after, dataset, device="cpu")
    header, again = found.checkpoint.header, twice.checkpoint.header
    assert again.graphs == header.graphs
    for name in ("classes", "pixels", "gate", "familiarity"):
        old, new = (getattr(one.thresholds, name) for one in (header, again))
        assert new == pytest.approx(old, abs=1e-6)
    assert set(twice.checkpoint.tensors) == set(after.tensors)
    for name, values in twice.checkpoint.tensors.items():
        assert np.allclose(values, after.tensors[name], rtol=1e-4, atol=1e-5), name


def test_the_temperature_is_what_the_predictor_divides_by(monkeypatch):
    # Whether it helps on so few images does not matter here.
    monkeypatch.setattr(Answers, "_error", lambda _self, heat, _shown: abs(heat - 1) < 1e-9)
    found = calibrated("with good", kept=None)
    heat = found.checkpoint.header.graphs["classifier"].temperature
    assert heat != pytest.approx(1, abs=0.01)
    assert found.metrics["temperature"] == heat
    strips = toys.truth_for("with good")
    pairs = zip(
        predictions(toys.model("with good"), strips),
        predictions(found.checkpoint, strips),
        strict=True,
    )
    for (old, _), (new, _) in pairs:
        # Softmax: the ratio of two probabilities is taken to the power of 1 / temperature.
        ratios = np.log(old.scores[1:] / old.scores[0]), np.log(new.scores[1:] / new.scores[0])
        assert np.allclose(ratios[0] / heat, ratios[1], atol=1e-3)
        assert new.familiarity is None
        assert new.certainty == pytest.approx(float(new.scores.max()))
    after = next(said.after for said in found.said if said.what == "the class named")
    assert np.allclose(
        after, [one.scores.max() for one, _ in predictions(found.checkpoint, strips)]
    )


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [*EVERY, "cascade", "shared_backbone"])
def test_thresholds_for_flips_are_used_with_them_unasked(kind):
    dataset = toys.truth_for(kind)
    aim = None if kind == "exclusive" else Aim(target_recall=0.8)
    found = calibrated(kind, aim=aim, flips="both")
    header = found.checkpoint.header
    assert header.flips == "both"
    predictor = load_predictor(
        found.checkpoint, runtime="pytorch", device="cpu", least_familiarity=0
    )
    assert predictor.flips == "both"
    said = [predictor.predict(sample.image) for sample in dataset]
    for decision in found.decisions:
        if decision.setting == "pixels":
            continue  # steps of a grid
        whole = decision.setting in {"gate", "defect"}
        scores = [one.gate_probability if whole else one.scores[decision.place] for one in said]
        assert np.allclose(decision.scores, scores, atol=1e-4)
    # What is familiar is said of images as they are.
    plain = calibrated(kind).checkpoint
    once = load_predictor(plain, runtime="pytorch", device="cpu", least_familiarity=0)
    for one, sample in zip(said, dataset, strict=True):
        assert one.familiarity == pytest.approx(once.predict(sample.image).familiarity, abs=1e-4)


def test_flips_stay_until_others_are_asked_for():
    first = calibrated("independent", flips="horizontal", kept=None).checkpoint
    again = calibration.calibrate(first, toys.strips(), kept=None, device="cpu").checkpoint
    assert again.header.flips == "horizontal"
    back = calibration.calibrate(first, toys.strips(), kept=None, flips="none", device="cpu")
    assert back.checkpoint.header.flips == "none"
    with pytest.raises(ConfigError, match="flips must be none, horizontal, vertical or both, got"):
        calibrated("independent", flips="sideways")


@pytest.mark.parametrize("kind", ["cascade", "two_head", "shared_backbone"])
def test_a_gate_reaches_the_recall_that_was_asked_for(kind):
    found = calibrated(kind, aim=Aim(target_recall=0.9), kept=None)
    strips = toys.strips()
    limit = found.checkpoint.header.thresholds.gate
    gates = np.array([one.gate_probability for one, _ in predictions(found.checkpoint, strips)])
    defective = strips.labelled().defective()
    # Of 16 defects 15 are at least 90 percent, and 14 are not.
    assert (gates[defective] >= limit).sum() == 15
    assert found.points[0]["underkill"] <= 0.1
    assert found.checkpoint.header.calibration.aim == "a recall of 0.9"


@pytest.mark.parametrize("kind", ["cascade", "two_head", "shared_backbone"])
def test_where_it_decides_what_is_outlined_each_class_of_a_gate_reaches_the_recall_too(kind):
    found = calibrated(kind, aim=Aim(target_recall=0.8), kept=None, only_named=True)
    limits = found.checkpoint.header.thresholds
    assert limits.only_named
    strips = toys.strips()
    scores = np.array([one.scores for one, _ in predictions(found.checkpoint, strips)])
    labels = strips.labelled().labels()
    assert (((scores >= limits.classes) & labels).sum(axis=0) / labels.sum(axis=0) >= 0.8).all()
    names = [point["name"] for point in found.points]
    assert {"pit", "pit, named by the gate", "scratch, named by the gate"} < set(names)
    # Outlines are judged for themselves, whatever the gate may name.
    alone = calibrated(kind, aim=Aim(target_recall=0.8), kept=None).checkpoint.header.thresholds
    assert alone.pixels == limits.pixels
    assert not alone.only_named


def test_each_independent_class_reaches_it_and_so_does_the_model_as_a_gate():
    found = calibrated("independent", aim=Aim(target_recall=0.8), kept=None)
    strips = toys.strips()
    labels = strips.labelled().labels()
    shown = np.array([named for _, named in predictions(found.checkpoint, strips)])
    assert ((shown & labels).sum(axis=0) / labels.sum(axis=0) >= 0.8).all()
    assert [point["name"] for point in found.points] == ["pit", "scratch"]
    cascade = checkpoints.join(found.checkpoint, toys.model("segmenter"))
    gates = np.array([one.gate_probability for one, _ in predictions(cascade, strips)])
    defective = labels.any(axis=1)
    assert (gates[defective] >= cascade.header.thresholds.gate).mean() >= 0.8


@pytest.mark.parametrize("kind", ["with good", "kernels"])
def test_exclusive_classes_with_a_good_one_get_a_threshold_for_any_defect(kind):
    before = calibrated(kind, kept=None)
    assert before.points[0]["threshold"] is None
    strips = toys.truth_for(kind)
    defective = strips.defective()
    verdicts = [one.verdict == "defect" for one, _ in predictions(toys.model(kind), strips)]
    missed = ~np.array(verdicts) & defective
    assert before.points[0]["underkill"] == pytest.approx(missed.sum() / defective.sum())
    found = calibrated(kind, aim=Aim(target_recall=0.9), kept=None)
    limits = found.checkpoint.header.thresholds
    assert limits.defect == limits.gate == found.points[0]["threshold"]
    verdicts = [one.verdict == "defect" for one, _ in predictions(found.checkpoint, strips)]
    assert np.array(verdicts)[defective].mean() >= 0.9


def test_an_aim_is_kept_when_the_model_is_calibrated_again_without_one():
    found = calibrated("with good", aim=Aim(target_recall=0.9), kept=None)
    again = calibration.calibrate(
        found.checkpoint, toys.truth_for("with good"), device="cpu", kept=None
    )
    old, new = (one.checkpoint.header.thresholds for one in (found, again))
    assert new.defect == pytest.approx(old.defect, abs=1e-6)


def test_outlines_get_thresholds_and_what_cannot_be_reached_is_told():
    found = calibrated("segmenter", aim=Aim(target_recall=0.5), kept=None)
    pixels = found.checkpoint.header.thresholds.pixels
    old = toys.model("segmenter").header.thresholds.pixels
    for decision, before, after in zip(found.decisions, old, pixels, strict=True):
        assert after > 0
        reached = (decision.scores[decision.defective] >= after).mean() >= 0.5
        assert reached or (decision.name in found.not_chosen and after == before)
    assert found.said == []


def test_of_familiar_images_about_the_share_is_called_familiar():
    found = calibrated("independent", kept=0.8)
    assert found.checkpoint.header.thresholds.familiarity == pytest.approx(0.2)
    assert found.metrics["familiar_share_kept"] == 0.8
    new = toys.strips(30, seed=5)
    verdicts = [one.verdict for one, _ in predictions(found.checkpoint, new)]
    assert verdicts.count("unfamiliar") <= 15
    wild = np.full((32, 64, 1), 255, dtype=np.uint8)
    wild[::2] = 0
    (said, _) = predictions(found.checkpoint, [replace(new[0], image=wild, masks=None)])[0]
    assert said.verdict == "unfamiliar"


def test_without_familiarity_an_old_one_is_taken_away():
    found = calibrated("independent")
    assert any(name.startswith("familiarity.") for name in found.checkpoint.tensors)
    without = calibration.calibrate(found.checkpoint, toys.strips(), kept=None, device="cpu")
    assert set(without.checkpoint.tensors) == set(toys.model("independent").tensors)
    assert without.checkpoint.header.graphs["classifier"].familiarity is None
    assert without.checkpoint.header.thresholds.familiarity == 0


def test_in_a_cascade_the_density_belongs_to_the_gate(tmp_path):
    found = calibrated("cascade")
    names = {name.split("familiarity")[0] for name in found.checkpoint.tensors if "famil" in name}
    assert names == {"gate."}
    assert found.checkpoint.header.graphs["segmenter"].familiarity is None


def test_what_is_familiar_can_be_learned_from_other_images(tmp_path):
    learned = toys.strips(40, seed=8)
    lost = replace(broken(tmp_path), labels=(False, False))
    training = replace(learned, entries=(*learned.entries, lost))
    found = calibrated("independent", training=training)
    assert found.metrics["familiar_images"] == 40
    assert found.checkpoint.header.calibration.images == 24
    assert list(found.unreadable) == ["broken.png"]


def test_the_record_says_how_it_was_done():
    found = calibrated("independent", kept=None, data="coils", split="validation")
    record = found.checkpoint.header.calibration
    assert (record.data, record.split, record.images, record.aim) == ("coils", "validation", 24, "")
    assert abs((date.fromisoformat(record.created) - date.today()).days) <= 1
    assert set(record.metrics) == {
        "temperature",
        "calibration_error_any_defect_before",
        "calibration_error_any_defect_after",
    }


def test_unreadable_images_are_left_out_of_outlines_too(tmp_path):
    strips = toys.strips()
    lost = replace(broken(tmp_path), labels=None, masks=strips.entries[1].masks)
    mixed = replace(strips, entries=(*strips.entries, lost))
    found = calibration.calibrate(toys.model("segmenter"), mixed, device="cpu", kept=None)
    assert list(found.unreadable) == ["broken.png"]
    assert len(found.decisions[0].scores) == 24


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"dataset": toys.strips(classes=toys.THREE)},
            ConfigError,
            "the data have the classes good, pit, scratch, but the model knows pit, scratch",
        ),
        (
            {"kept": 98},
            ConfigError,
            "the share of familiar images to keep must be above 0.5 and below 1, such as 0.98, got "
            "98",
        ),
        ({"kept": 0.5}, ConfigError, "above 0.5 and below 1, such as 0.98, got 0.5"),
        ({"kept": float("nan")}, ConfigError, "above 0.5 and below 1, such as 0.98, got nan"),
        ({"dataset": toys.strips(7)}, ConfigError, "familiarity needs at least 8 images, got 7"),
        ({"dataset": toys.strips(0)}, NoImagesError, "there are no images to calibrate on"),
        ({"model": "nowhere"}, CheckpointError, "no model 'nowhere'"),
        (
            {"dataset": toys.without_clean(toys.strips()), "aim": Aim(target_recall=0.9)},
            None,
            "",
        ),
    ],
    ids=["classes", "percent", "half", "nan", "few", "none", "model", "classes beside each other"],
)
def test_what_cannot_be_used_is_refused(change, error, message):
    values = {"model": toys.model("independent"), "dataset": toys.strips(), "device": "cpu"}
    values |= change
    if error is None:
        # Each class has images that show it and others: only a gate cannot be chosen for.
        found = calibration.calibrate(**values)
        assert dict(found.not_chosen) == {"any defect, as a gate": "all images show it"}
        aim = found.checkpoint.header.calibration.aim
        assert aim == "a recall of 0.9, but not for any defect, as a gate"
        return
    with pytest.raises(error, match=re.escape(message)):
        calibration.calibrate(**values)


def test_images_of_no_class_do_not_suit_a_model_that_names_one():
    message = "names one class of each image, but 8 of 24 images show none or several, first: 0.png"
    with pytest.raises(ConfigError, match=re.escape(message)):
        calibration.calibrate(toys.model("exclusive"), toys.strips(), device="cpu")


def test_images_without_labels_are_refused():
    bare = replace(
        toys.strips(), entries=tuple(replace(one, masks=None) for one in toys.strips().entries)
    )
    with pytest.raises(AnnotationError, match=re.escape("24 images have no labels, first: 0.png")):
        calibration.calibrate(toys.model("independent"), bare, device="cpu")


def test_an_aim_that_cannot_be_reached_is_refused_before_any_image_is_looked_at(monkeypatch):
    monkeypatch.setattr(
        calibration.looks.Observer, "look", lambda *_: pytest.fail("an image was looked at")
    )
    with pytest.raises(ConfigError, match="always names one class and none means good"):
        calibrated("exclusive", aim=Aim(target_recall=0.9))


def test_images_that_nobody_can_read_are_refused(tmp_path):
    lost = replace(toys.strips(), entries=(broken(tmp_path),))
    with pytest.raises(ImageError, match=r"none of 1 images can be read, first broken\.png"):
        calibration.calibrate(toys.model("independent"), lost, device="cpu")


def test_the_calibrated_model_takes_the_place_of_the_old_one_unless_it_is_built_in(tmp_path):
    path = tmp_path / "model.safetensors"
    calibrated("independent", kept=None).save(path)
    assert calibration.place_for(path) == path
    assert calibration.place_for(tmp_path) == path
    assert calibration.place_for("strip", tmp_path / "s.safetensors") == tmp_path / "s.safetensors"
    message = "'strip' comes with the package and stays as it is: name a file with --save"
    with pytest.raises(ConfigError, match=re.escape(message)):
        calibration.place_for("strip")
    with pytest.raises(CheckpointError, match="no model 'nowhere'"):
        calibration.place_for("nowhere", tmp_path / "s.safetensors")


def test_the_named_file_must_be_a_new_one_for_a_model(tmp_path):
    model = tmp_path / "model.safetensors"
    found = toys.model("with good")
    checkpoints.save(model, found.header, found.tensors)
    other = tmp_path / "other.safetensors"
    other.write_text("mine")
    with pytest.raises(ConfigError, match=r"ends with \.safetensors, got '.*README.md'"):
        calibration.place_for(model, tmp_path / "README.md")
    with pytest.raises(
        ConfigError, match=r"is there already. Name another file, or add --overwrite"
    ):
        calibration.place_for(model, other)
    assert calibration.place_for(model, other, overwrite=True) == other
    assert other.read_text() == "mine"
