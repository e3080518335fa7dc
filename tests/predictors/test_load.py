import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import checkpoints, load_predictor
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.errors import CheckpointError, ConfigError, DeviceError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.predictors import load
from steel_defect_detection.predictors.cascade import CascadePredictor
from steel_defect_detection.predictors.classifier import ClassifierPredictor
from steel_defect_detection.predictors.segmenter import SegmenterPredictor
from tests.conftest import CLASSES
from tests.export import toys


def save(path, kind, config):
    header = Header(
        architecture=kind,
        graphs={kind: config},
        classes=CLASSES,
        thresholds=Thresholds.default(4),
    )
    checkpoints.save(path, header, weights.arrays(graphs.build(config)))
    return path


@pytest.fixture(scope="module")
def gate(tmp_path_factory, gate_config):
    return save(tmp_path_factory.mktemp("gate") / "gate.safetensors", "classifier", gate_config)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory, segmenter_config):
    return save(
        tmp_path_factory.mktemp("segmenter") / "segmenter.safetensors",
        "segmenter",
        segmenter_config,
    )


def test_each_kind_of_checkpoint_gives_its_predictor(gate, segmenter):
    assert isinstance(load_predictor(gate), ClassifierPredictor)
    assert isinstance(load_predictor(segmenter), SegmenterPredictor)
    assert isinstance(load_predictor(segmenter, gate=gate), CascadePredictor)


def test_the_built_in_model_judges_a_strip():
    prediction = load_predictor().predict(np.full((256, 1600, 3), 90, dtype=np.uint8))
    assert prediction.classes == CLASSES
    assert prediction.label_map.shape == (256, 1600)


def test_thresholds_can_be_changed_for_all_classes_or_for_one(gate, segmenter):
    assert load_predictor(segmenter, threshold=0.3).thresholds.pixels == (0.3,) * 4
    changed = load_predictor(segmenter, threshold={"defect_2": 0.3}, min_area={"defect_4": 9})
    assert changed.thresholds.pixels == (0.5, 0.3, 0.5, 0.5)
    assert changed.thresholds.min_areas == (0, 0, 0, 9)
    assert load_predictor(gate, threshold=0.3).thresholds.classes == (0.3,) * 4
    assert load_predictor(segmenter, gate=gate, gate_threshold=0.1).thresholds.gate == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 1.5}, "thresholds must lie between 0 and 1"),
        ({"threshold": {"rust": 0.5}}, "the model has no class 'rust'; its classes are defect_1"),
        ({"min_area": -1}, "least areas must not be negative"),
        ({"min_area": 1.5}, "least areas must be whole numbers of pixels, got (1.5, 1.5"),
        ({"min_area": float("inf")}, "least areas must be whole numbers of pixels"),
        ({"gate_threshold": 0.5}, "the model is a segmenter without a gate"),
    ],
)
def test_impossible_thresholds_are_refused(segmenter, change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_predictor(segmenter, **change)


def test_a_gate_threshold_out_of_range_is_refused(gate, segmenter):
    with pytest.raises(ConfigError, match=re.escape("less than or equal to 1 (gate 2)")):
        load_predictor(segmenter, gate=gate, gate_threshold=2)


def test_a_classifier_has_no_least_area(gate):
    with pytest.raises(ConfigError, match="the model is a classifier, which outlines nothing"):
        load_predictor(gate, min_area=5)


def test_a_cascade_has_its_gate_already(gate):
    with pytest.raises(CheckpointError, match="is a cascade, which has its gate already"):
        load_predictor("strip", gate=gate)


def test_a_segmenter_is_no_gate(segmenter):
    with pytest.raises(CheckpointError, match="a cascade needs a classifier here"):
        load_predictor(segmenter, gate=segmenter)


@pytest.mark.parametrize("device", ["cuda:99", "toaster", "meta"])
def test_a_device_that_is_not_there_is_refused(segmenter, device):
    with pytest.raises(DeviceError, match="device"):
        load_predictor(segmenter, device=device)


@pytest.mark.parametrize("model", [None, 5, b"strip", ("strip",)])
def test_what_is_no_model_is_named(model):
    with pytest.raises(CheckpointError, match="expected a model's name, path or checkpoint, got"):
        load_predictor(model)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A calibrated model of each architecture."""
    place = tmp_path_factory.mktemp("calibrated")
    singles = {"classifier": toys.GATE, "segmenter": toys.SEGMENTER, "two_head": toys.TWO_HEAD}
    found = {
        kind: checkpoints.load(toys.save_calibrated(place / kind, kind, graph))
        for kind, graph in singles.items()
    }
    found["shared_backbone"] = checkpoints.share(found["two_head"])
    found["cascade"] = checkpoints.join(found["classifier"], found["segmenter"])
    return found


ARCHITECTURES = ("classifier", "segmenter", "two_head", "shared_backbone", "cascade")
STRIP = toys.strip(2, toys.SHAPE, np.random.default_rng(3))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_calibrated_model_says_how_familiar_an_image_is_and_how_certain_it_is(
    calibrated, architecture
):
    predictor = load_predictor(calibrated[architecture], runtime="pytorch", device="cpu")
    assert predictor.is_calibrated
    known, strange = predictor.predict(STRIP), predictor.predict(toys.STRANGER)
    assert known.verdict in {"clean", "defect"}
    assert strange.verdict == "unfamiliar"
    assert strange.familiarity < toys.LIMITS.familiarity <= known.familiarity <= 1
    if architecture == "segmenter":
        assert known.certainty is None
    else:
        defect = known.gate_probability
        assert known.certainty == (defect if known.verdict == "defect" else 1 - defect)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_strangers_are_called_is_the_caller_s_choice(calibrated, architecture):
    for choice in ("defect", "clean", "error"):
        predictor = load_predictor(
            calibrated[architecture], runtime="pytorch", device="cpu", on_unfamiliar=choice
        )
        assert predictor.predict(toys.STRANGER).verdict == choice
        assert predictor.origin.options.on_unfamiliar == choice
    never = load_predictor(
        calibrated[architecture], runtime="pytorch", device="cpu", least_familiarity=0
    )
    assert never.predict(toys.STRANGER).verdict in {"clean", "defect"}


def test_a_word_that_strangers_cannot_be_called_is_refused(calibrated):
    message = "on_unfamiliar must be unfamiliar, defect, clean or error, got 'strange'"
    with pytest.raises(ConfigError, match=message):
        load_predictor(calibrated["classifier"], on_unfamiliar="strange")


def test_a_model_that_was_not_calibrated_says_neither(gate):
    predictor = load_predictor(gate, runtime="pytorch")
    found = predictor.predict(np.zeros((32, 32, 3), dtype=np.uint8))
    assert (found.certainty, found.familiarity) == (None, None)
    with pytest.raises(ConfigError, match="the model does not know what is familiar"):
        load_predictor(gate, least_familiarity=0.1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_that_knows_strangers_runs_in_float32_unless_somebody_chose(
    calibrated, architecture
):
    # In bfloat16 familiar images look strange, and the number would be of two scales.
    unasked = load_predictor(calibrated[architecture], device="cpu")
    assert next(iter(unasked.networks.values())).precision == "float32"
    coarse = load_predictor(
        calibrated[architecture], device="cpu", runtime="pytorch", precision="bfloat16"
    )
    assert next(iter(coarse.networks.values())).precision == "bfloat16"


def test_a_segmenter_that_decides_nothing_but_outlines_is_not_asked_again(segmenter):
    assert load_predictor(segmenter, device="cpu")._careful is None


def test_a_model_that_knows_nothing_familiar_makes_no_promise_about_strangers():
    message = "the model does not know what is familiar, so no image would be called unfamiliar"
    with pytest.raises(ConfigError, match=message):
        load_predictor("strip", on_unfamiliar="defect")


def mirrored(image, rows, columns):
    """An image or map with its rows, its columns, or both in the other order."""
    return np.ascontiguousarray(image[:: -1 if rows else 1, :: -1 if columns else 1])


SIDES = [(False, False), (False, True), (True, False), (True, True)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_with_flips_a_predictor_says_the_mean_of_what_it_says_of_mirrored_images(
    calibrated, architecture
):
    settings = {"runtime": "pytorch", "device": "cpu"}
    if architecture != "classifier":
        settings["keep_probabilities"] = True
    if architecture not in {"classifier", "segmenter"}:
        settings["gate_threshold"] = 0.0
    once = load_predictor(calibrated[architecture], **settings)
    alone = [once.predict(mirrored(STRIP, *side)) for side in SIDES]
    predictor = load_predictor(calibrated[architecture], **settings, flips="both")
    found = predictor.predict(STRIP)
    assert predictor.origin.options.flips == "both"
    assert found.familiarity == pytest.approx(alone[0].familiarity, abs=1e-5)
    if architecture != "segmenter":
        assert np.allclose(found.scores, np.mean([one.scores for one in alone], axis=0), atol=1e-5)
        gates = [one.gate_probability for one in alone]
        assert found.gate_probability == pytest.approx(np.mean(gates), abs=1e-5)
        assert np.ptp(gates) > 1e-4
    if architecture != "classifier":
        maps = [
            [mirrored(map_, *side) for map_ in one.probabilities]
            for one, side in zip(alone, SIDES, strict=True)
        ]
        assert np.allclose(found.probabilities, np.mean(maps, axis=0), atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("flips", "sides"),
    [("horizontal", SIDES[:2]), ("vertical", SIDES[::2]), ("both", SIDES)],
    ids=("horizontal", "vertical", "both"),
)
def test_a_mirrored_image_has_the_mirrored_outline(calibrated, architecture, flips, sides):
    predictor = load_predictor(
        calibrated[architecture], runtime="pytorch", device="cpu", flips=flips, least_familiarity=0
    )
    # 61 rows: the network sees them padded.
    image = STRIP[:61]
    first, *others = (predictor.predict(mirrored(image, *side)) for side in sides)
    for other, side in zip(others, sides[1:], strict=True):
        assert other.verdict == first.verdict
        assert np.allclose(other.scores, first.scores, atol=1e-6)
        if architecture != "classifier":
            assert (mirrored(other.label_map, *side) != first.label_map).mean() < 0.001


class Sided:
    """Says one thing of images that are brighter on the left, and another of their mirror."""

    name, parallel, preprocessing = "sided", 1, Preprocessing(channels=1)

    def __init__(self, precision, left, right):
        self.precision, self.said = precision, (left, right)

    def run(self, images):
        share = np.float32(self.said[int(images[0, 0, 0, 0] < images[0, 0, -1, 0])])
        classes = np.full((1, 4), share, dtype=np.float32)
        return {"probabilities": classes, "defect_probability": classes[:, 0]}


@pytest.mark.parametrize(
    ("quick", "said"),
    # The threshold is 1/2. The mean decides whether the careful network is asked, which is flipped
    # as well: it says 0.3 of the image and 0.9 of its mirror.
    [((0.1, 0.94), 0.6), ((0.5, 0.9), 0.7)],
)
def test_close_means_are_asked_for_again_with_flips(gate, monkeypatch, quick, said):
    def choose(config, tensors, *, precision, **_):
        careful = precision == "float32"
        return Sided("float32", 0.3, 0.9) if careful else Sided("bfloat16", *quick)

    monkeypatch.setattr(load, "choose", choose)
    image = np.zeros((32, 32, 1), dtype=np.uint8)
    image[:, 0] = 255
    found = load_predictor(gate, flips="horizontal").predict(image)
    assert found.gate_probability == pytest.approx(said, abs=1e-6)


def test_flips_are_those_of_the_thresholds_unless_others_are_asked_for(calibrated, caplog):
    model = calibrated["segmenter"]
    plain = load_predictor(model, runtime="pytorch")
    assert (plain.flips, caplog.messages) == ("none", [])
    header = model.header.model_copy(update={"flips": "vertical"})
    turned = replace(model, header=header)
    unasked = load_predictor(turned, runtime="pytorch")
    assert (unasked.flips, caplog.messages) == ("vertical", [])
    assert load_predictor(turned, runtime="pytorch", flips="none").flips == "none"
    assert caplog.messages == [
        "the model was calibrated for flips 'vertical' and is used with 'none'. "
        "sdd-calibrate --flips none does that anew"
    ]
    caplog.clear()
    assert load_predictor(model, runtime="pytorch", flips="both").flips == "both"
    assert "calibrated for flips 'none' and is used with 'both'" in caplog.text
    with pytest.raises(ConfigError, match="flips must be none, horizontal, vertical or both, got"):
        load_predictor(model, flips="left")


def test_a_model_whose_thresholds_nobody_has_chosen_takes_any_flips(segmenter, caplog):
    assert load_predictor(segmenter, runtime="pytorch", flips="both").flips == "both"
    assert caplog.messages == []
