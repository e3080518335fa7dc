import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, softmax

from steel_defect_detection.calibration import looks
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ImageError, NoImagesError
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.runtimes import tiling
from tests.calibration import toys
from tests.datasets.drawn import entry
from tests.evaluation.toys import Painted

KINDS = ("independent", "logit", "exclusive", "with good", "kernels", "two_head")


def of_columns(kind: str, column: int) -> float:
    """Probability of one class as a predictor says it, by kind of the model."""
    predictor = load_predictor(toys.model(kind), runtime="pytorch", device="cpu")
    return float(predictor.predict(toys.strips(1)[0].image).scores[column])


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_behind_the_predictors_probabilities(kind):
    checkpoint = toys.model(kind)
    logits, numbers = looks.Observer(checkpoint, device="cpu").look(toys.strips(1)[0].image)
    (logits,) = logits
    said = logits[: len(checkpoint.header.classes)]
    said = softmax(said) if kind in {"exclusive", "with good"} else expit(said)
    assert said[1] == pytest.approx(of_columns(kind, 1), abs=1e-5)
    assert numbers.shape[0] == 1
    assert len(logits) == len(checkpoint.header.classes) + (kind == "logit")


def test_a_segmenter_says_nothing_of_the_whole_and_a_cascade_is_seen_by_its_gate():
    image = toys.strips(1)[0].image
    segmenter, gate = (looks.Observer(toys.model(kind)) for kind in ("segmenter", "cascade"))
    assert segmenter.graph == "segmenter"
    assert segmenter.look(image)[0] is None
    assert gate.graph == "classifier"
    alone = looks.Observer(toys.model("independent"))
    assert np.array_equal(gate.look(image)[0], alone.look(image)[0])
    assert sum(gate.channels) * 2 == gate.look(image)[1].shape[1]
    assert looks.Observer(toys.model("shared_backbone")).graph == "encoder_gate"


@pytest.mark.parametrize("flips", ["none", "both"])
@pytest.mark.parametrize("kind", ["independent", "exclusive", "with good", "kernels"])
def test_a_large_image_is_seen_tile_by_tile(kind, flips, monkeypatch):
    monkeypatch.setattr(tiling, "MOST_PIXELS", 1000)
    # All defaults are bound when the function is made.
    monkeypatch.setattr(tiling.windows, "__kwdefaults__", {"size": 32, "overlap": 0})
    image = np.random.default_rng(0).integers(0, 256, (32, 96, 1), dtype=np.uint8)
    image[:, 32:64] //= 3
    checkpoint = toys.model(kind)
    logits, numbers = looks.Observer(checkpoint, device="cpu").look(image, flips)
    assert len(numbers) == 3
    predictor = load_predictor(checkpoint, runtime="pytorch", device="cpu", flips=flips)
    scores = predictor.predict(image).scores
    adds_up = kind in {"exclusive", "with good"}
    said = softmax(logits, axis=1) if adds_up else expit(logits)
    assert np.allclose(said.mean(axis=0), scores, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_mirrored_copies_are_seen_beside_the_image_whose_stages_count(kind):
    image = toys.strips(2)[1].image
    observer = looks.Observer(toys.model(kind), device="cpu")
    logits, numbers = observer.look(image, "both")
    shown = (image, image[:, ::-1], image[::-1], image[::-1, ::-1])
    alone = [observer.look(np.ascontiguousarray(one)) for one in shown]
    assert np.allclose(logits, [one[0] for one, _ in alone], atol=1e-5)
    assert np.array_equal(numbers, alone[0][1])
    assert observer.look(image, "vertical")[0] == pytest.approx(logits[[0, 2]])


def test_between_tiles_the_probability_counts_and_not_the_logit():
    observer = looks.Observer(toys.model("exclusive"), device="cpu")
    # The second is surer, although its logits are lower.
    tiles = np.array([[5.0, 4.9], [3.0, -3.0]], dtype=np.float32)
    assert observer._of_image(tiles[:, None]).tolist() == [[3.0, -3.0]]
    with_good = looks.Observer(toys.model("with good"), device="cpu")
    tiles = np.array([[-1.0, -9.0, -9.0], [2.0, 3.0, 3.0]], dtype=np.float32)
    assert with_good._of_image(tiles[:, None]).tolist() == [[2.0, 3.0, 3.0]]


def test_what_calibration_added_is_taken_away():
    config = toys.model("independent").header.graphs["classifier"]
    changed = config.model_copy(update={"temperature": 2.0})
    assert looks.as_trained(changed) == config


def broken(tmp_path, name="broken.png") -> Entry:
    path = tmp_path / name
    path.write_bytes(b"no picture")
    return Entry(name=name, path=path, labels=(False, True))


def test_unreadable_images_are_named_and_left_out(tmp_path):
    strips = toys.strips(3).labelled()
    mixed = replace(strips, entries=(strips.entries[0], broken(tmp_path), *strips.entries[1:]))
    problems = {}
    observer = looks.Observer(toys.model("independent"), device="cpu")
    seen = looks.observe(observer, mixed, problems=problems)
    assert [one.name for one in seen] == ["0.png", "1.png", "2.png"]
    assert list(problems) == ["broken.png"]
    assert "broken.png" in problems["broken.png"]
    assert [one.labels.tolist() for one in seen] == [[False, False], [True, False], [False, True]]
    assert len({one.group for one in seen}) == 3


def test_images_of_a_group_share_its_number():
    strips = toys.strips(4).labelled()
    names = ("coil 1", None, "coil 1", "coil 2")
    grouped = [replace(one, group=name) for one, name in zip(strips.entries, names, strict=True)]
    observer = looks.Observer(toys.model("independent"), device="cpu")
    seen = looks.observe(observer, replace(strips, entries=tuple(grouped)), problems={})
    first, alone, again, other = (one.group for one in seen)
    assert first == again
    assert len({first, alone, other}) == 3


def test_if_none_can_be_read_the_first_is_named(tmp_path):
    lost = Dataset(classes=toys.CLASSES, entries=(broken(tmp_path), broken(tmp_path, "b.png")))
    observer = looks.Observer(toys.model("independent"), device="cpu")
    with pytest.raises(ImageError, match=r"none of 2 images can be read, first broken\.png: "):
        looks.observe(observer, lost, problems={})
    # What was wrong with the images of another part does not count.
    with pytest.raises(ImageError, match="none of 2 images"):
        looks.observe(observer, lost, problems={"another.png": "gone"})


def test_no_images_are_refused():
    nothing = Dataset(classes=toys.CLASSES, entries=())
    observer = looks.Observer(toys.model("independent"), device="cpu")
    with pytest.raises(NoImagesError, match="there are no images to calibrate on"):
        looks.observe(observer, nothing, problems={})
    with pytest.raises(NoImagesError, match="there are no images to calibrate on"):
        looks.labelled(nothing, {})


def test_images_without_labels_are_named():
    bare = Dataset(classes=toys.CLASSES, entries=(entry("bare.png", np.zeros((32, 32))),))
    observer = looks.Observer(toys.model("independent"), device="cpu")
    with pytest.raises(
        AnnotationError, match=re.escape("1 images have no labels, first: bare.png")
    ):
        looks.observe(observer, looks.labelled(bare, {}), problems={})


def test_labels_come_from_masks_and_images_without_a_size_are_left_out(tmp_path):
    strips = toys.strips(3)
    lost = replace(broken(tmp_path), labels=None, masks=strips.entries[1].masks)
    problems = {}
    found = looks.labelled(replace(strips, entries=(*strips.entries, lost)), problems)
    assert found.labels().tolist() == [[False, False], [True, False], [False, True]]
    assert list(problems) == ["broken.png"]
    with pytest.raises(ImageError, match="none of 1 images can be read"):
        looks.labelled(replace(strips, entries=(lost,)), {})


def painted(percent: list[np.ndarray], truth: list[tuple[bool, ...]]) -> Dataset:
    """Images whose three channels are probabilities, in percent."""

    class Colour:
        def __init__(self, image):
            self.image = image

        def read(self):
            return self.image

    entries = []
    for place, (image, shown) in enumerate(zip(percent, truth, strict=True)):
        masks = np.zeros((3, *image.shape[:2]), dtype=np.bool_)
        masks[list(shown), 0, 0] = True
        drawn = entry(f"{place}.png", image[..., 0], masks)
        entries.append(replace(drawn, pixels=Colour(image)))
    return Dataset(classes=("a", "b", "c"), entries=tuple(entries))


@pytest.fixture
def told(monkeypatch):
    """A segmenter that says what is painted into the image, and a checkpoint for it."""
    classes = ("a", "b", "c")
    monkeypatch.setattr(looks, "load_predictor", lambda *_, **__: Painted(classes))
    checkpoint = toys.model("segmenter")
    limits = Thresholds.default(3).model_copy(update={"min_areas": (0, 4, 0)})
    header = checkpoint.header.model_copy(update={"classes": classes, "thresholds": limits})
    return replace(checkpoint, header=header)


def test_outlines_are_scored_by_the_highest_threshold_that_leaves_them(told):
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    image[0, 0, 0] = 72
    # Class b needs four pixels: there are two of 90 percent, and four from 61 percent on.
    image[4, 4:8, 1] = (90, 90, 61, 61)
    clean = np.zeros((8, 8, 3), dtype=np.uint8)
    found = painted([image, clean], [(True, False, False), (False, True, False)])
    scores, truth = looks.outline_scores(told, found)
    assert scores.tolist() == [[0.7, 0.6, 0.0], [0.0, 0.0, 0.0]]
    assert truth.tolist() == [[True, False, False], [False, True, False]]


def test_images_without_masks_or_without_pixels_are_not_scored(told, tmp_path):
    found = painted([np.zeros((8, 8, 3), dtype=np.uint8)], [(True, False, False)])
    labelled = Entry(name="l", pixels=found.entries[0].pixels, labels=(True, False, False))
    lost = replace(broken(tmp_path), masks=found.entries[0].masks)
    mixed = replace(found, entries=(labelled, lost, *found.entries))
    assert len(looks.outline_scores(told, mixed)[0]) == 1
    scores, truth = looks.outline_scores(told, replace(found, entries=(labelled,)))
    assert scores.shape == truth.shape == (0, 3)
