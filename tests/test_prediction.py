import re

import numpy as np
import pytest

from steel_defect_detection import drawing, rle
from steel_defect_detection.errors import ImageError, MaskError
from steel_defect_detection.prediction import Prediction

CLASSES = ("scratch", "patch", "pit")


def prediction(**changes) -> Prediction:
    label_map = np.zeros((10, 12), dtype=np.uint8)
    label_map[1:3, 1:5] = 1
    label_map[5:9, 6:8] = 3
    values = {
        "source": "strip.png",
        "classes": CLASSES,
        "verdict": "defect",
        "label_map": label_map,
        "scores": np.array([0.9, 0.1, 0.8], dtype=np.float32),
    }
    return Prediction(**(values | changes))


def test_masks_areas_and_runs_say_the_same():
    made = prediction()
    assert made.masks.shape == (3, 10, 12)
    assert made.areas.tolist() == [8, 0, 8] == made.masks.sum(axis=(1, 2)).tolist()
    assert set(made.runs()) == {"scratch", "pit"}
    for name, runs in made.runs().items():
        mask = made.masks[CLASSES.index(name)]
        assert (rle.decode(runs, (10, 12)) == mask).all()


def test_the_foremost_class_has_the_largest_area_then_the_highest_score():
    assert prediction().class_name == "scratch"
    larger = prediction().label_map.copy()
    larger[0, 0] = 3
    assert prediction(label_map=larger).class_name == "pit"
    assert prediction(label_map=None).class_name == "scratch"


def test_a_clean_image_has_no_foremost_class():
    empty = np.zeros((10, 12), dtype=np.uint8)
    made = prediction(verdict="clean", label_map=empty)
    assert made.class_name is None
    assert made.runs() == {}


def test_without_a_label_map_there_are_no_masks():
    made = prediction(label_map=None)
    assert made.runs() == {}
    assert made.areas.tolist() == [0, 0, 0]
    message = "strip.png: this prediction has no masks (verdict 'defect')"
    with pytest.raises(MaskError, match=re.escape(message)):
        _ = made.masks


def test_an_overlay_needs_an_image():
    image = np.full((10, 12, 3), 80, dtype=np.uint8)
    assert prediction().overlay(image).shape == (10, 12, 3)
    assert (prediction(image=image).overlay() == prediction().overlay(image)).all()
    with pytest.raises(ImageError, match="no image was kept"):
        prediction().overlay()


def test_a_label_map_names_known_classes_only():
    with pytest.raises(MaskError):
        prediction(label_map=np.full((2, 2), 4, dtype=np.uint8))


@pytest.mark.parametrize("changes", [{"verdict": "error"}, {"error": "broken"}])
def test_an_error_has_a_message_and_a_message_is_an_error(changes):
    with pytest.raises(MaskError, match="an error message and the verdict 'error' go together"):
        prediction(**changes)


def test_without_outlines_an_overlay_names_the_class_below_the_image():
    image = np.full((30, 200, 1), 9, dtype=np.uint8)
    scores = np.array([0.5, 0.25, 0.0], dtype=np.float32)
    drawn = prediction(label_map=None, image=image, scores=scores).overlay()
    assert (drawn[:30] == 9).all()
    assert (drawn[-1] == drawing.color(1)).all(axis=1).sum() == 100
    # Nothing is as probable as what is least against it: half.
    clean = prediction(label_map=None, image=image, scores=scores, verdict="clean").overlay()
    assert (clean[-1] == drawing.CLEAN).all(axis=1).sum() == 100
    sure = prediction(
        label_map=None, image=image, scores=scores, verdict="clean", gate_probability=0.0
    )
    assert (sure.overlay()[-1] == drawing.CLEAN).all(axis=1).sum() == 200
    broken = Prediction(source="a", classes=("a",), verdict="error", error="broken", image=image)
    with pytest.raises(MaskError, match="has no masks"):
        broken.overlay()


def test_a_defect_is_never_called_by_the_class_that_means_free_of_defects():
    scores = np.array([0.2, 0.7, 0.1], dtype=np.float32)
    made = prediction(label_map=None, scores=scores)
    assert made.class_name == "patch"
    assert prediction(label_map=None, scores=scores, good_class="patch").class_name == "scratch"
    image = np.full((30, 200, 1), 9, dtype=np.uint8)
    drawn = prediction(label_map=None, scores=scores, good_class="patch", image=image).overlay()
    assert (drawn[-1] == drawing.color(1)).all(axis=1).sum() == 40


def test_an_overlay_says_that_an_image_is_unfamiliar_and_how_much():
    image = np.full((30, 200, 1), 9, dtype=np.uint8)

    def bar(**changes) -> int:
        """Width of the bar below the image."""
        made = prediction(label_map=None, verdict="unfamiliar", image=image, **changes)
        return int((made.overlay()[-1] == drawing.UNFAMILIAR).all(axis=1).sum())

    assert bar(familiarity=0.1, certainty=0.7) == 180
    # A distance head says only how near the nearest class is.
    assert bar(certainty=0.25) == 150
    assert bar() == 200
