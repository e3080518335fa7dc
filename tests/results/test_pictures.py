import io

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results.naming import Names
from steel_defect_detection.results.pictures import Pictures, mask_path

NAMES = Names("a.jpg", "a-2")


def prediction(label_map=None, **rest):
    return Prediction(
        source="a.jpg", classes=("pit",), verdict="clean", label_map=label_map, **rest
    )


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_is_its_label_map(value):
    label_map = np.full((7, 9), value, dtype=np.uint8)
    drawn = Pictures(overlays=False).of(prediction(label_map), NAMES)
    assert list(drawn) == [mask_path(NAMES)] == ["masks/a-2.png"]
    assert (images.decode(drawn["masks/a-2.png"], "a", grey=True)[..., 0] == label_map).all()


def test_empty_masks_have_the_size_of_their_image():
    pictures = Pictures(overlays=False)
    for shape in ((7, 9), (8, 9), (7, 9)):
        drawn = pictures.of(prediction(np.zeros(shape, dtype=np.uint8)), NAMES)
        assert images.size_of(drawn["masks/a-2.png"], "a") == shape


@pytest.mark.parametrize("overlays", [True, False])
def test_overlays_are_drawn_where_they_are_wanted_and_there_is_an_image(overlays):
    scores = np.zeros(1, dtype=np.float32)
    image = np.zeros((30, 40, 3), dtype=np.uint8)
    seen = prediction(np.zeros((30, 40), dtype=np.uint8), scores=scores, image=image)
    blind = prediction(np.zeros((30, 40), dtype=np.uint8), scores=scores)
    pictures = Pictures(overlays=overlays)
    assert ("overlays/a-2.png" in pictures.of(seen, NAMES)) is overlays
    assert "overlays/a-2.png" not in pictures.of(blind, NAMES)


def test_probabilities_come_back():
    kept = np.random.default_rng(0).random((1, 5, 6), dtype=np.float32)
    drawn = Pictures(overlays=False).of(prediction(probabilities=kept), NAMES)
    found = np.load(io.BytesIO(drawn["probabilities/a-2.npz"]))["probabilities"]
    assert (found == kept).all()


def test_an_image_that_could_not_be_read_draws_nothing():
    failed = Prediction(source="a.jpg", classes=("pit",), verdict="error", error="no image")
    assert Pictures(overlays=True).of(failed, NAMES) == {}
