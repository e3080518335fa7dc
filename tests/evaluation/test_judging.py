import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import (
    AnnotationError,
    ImageError,
    InferenceError,
    NoImagesError,
    ResultsError,
)
from steel_defect_detection.evaluation import evaluate, evaluate_results
from steel_defect_detection.sample import Sample
from tests.evaluation.toys import CLASSES, Brightness, samples


def brightness(classes=CLASSES) -> Brightness:
    return Brightness(classes, Thresholds.default(len(classes)))


@pytest.fixture
def folder(tmp_path) -> Dataset:
    """Four images with labels, the odd ones with a scratch; the third cannot be read."""
    entries = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        images.write(path, np.full((16, 16, 1), 200 * (number % 2), dtype=np.uint8))
        entries.append(Entry(name=path.name, path=path, labels=(bool(number % 2),)))
    entries[2].path.write_bytes(b"no image")
    return Dataset(classes=CLASSES, entries=tuple(entries))


def test_a_model_of_other_classes_cannot_be_judged():
    with pytest.raises(AnnotationError, match="has the classes scratch, but the model knows pit"):
        evaluate(brightness(("pit",)), samples())


def test_images_without_labels_cannot_be_judged():
    bare = Sample(name="a.png", image=np.zeros((8, 8, 3), dtype=np.uint8), classes=CLASSES)
    with pytest.raises(AnnotationError, match=re.escape("a.png is without labels and masks")):
        evaluate(brightness(), [bare])


def test_without_images_there_is_nothing_to_judge():
    with pytest.raises(NoImagesError, match="there are no images to judge"):
        evaluate(brightness(), [])


def test_an_image_that_cannot_be_read_is_named_and_left_out_of_the_measures(folder):
    found = evaluate(brightness(), folder)
    assert found.names == ("0.png", "1.png", "3.png")
    assert set(found.unreadable) == {"2.png"}
    assert found.summary()["any_defect"]["images"] == 3
    (row,) = found.report()["unreadable"]
    assert row["image"] == "2.png"
    assert "is not an image" in row["error"]


def test_if_no_image_can_be_read_that_is_an_error(folder):
    with pytest.raises(ImageError, match=r"none of 1 images can be read, first: .*2\.png"):
        evaluate(brightness(), folder.subset([2]))


def test_a_network_that_fails_on_an_image_does_not_gain_by_it(folder):
    class Broken(Brightness):
        def judge(self, image, source):
            msg = "not-a-number"
            raise InferenceError(msg)

    with pytest.raises(InferenceError, match=r"0\.png: not-a-number"):
        evaluate(Broken(CLASSES, Thresholds.default(1)), folder)


def test_an_image_that_the_model_does_not_know_is_no_clean_one(folder):
    class Lost(Brightness):
        def judge(self, image, source):
            return replace(super().judge(image, source), verdict="unfamiliar")

    # Of three images that can be read two have a scratch.
    found = evaluate(Lost(CLASSES, Thresholds.default(1)), folder)
    assert found.summary()["any_defect"]["accuracy"] == pytest.approx(2 / 3)


def test_masks_that_are_missing_are_counted_unless_nobody_can_read_the_image(folder, tmp_path):
    masks = tmp_path / "theirs/masks"
    images.write(masks / "0.png", np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(ResultsError, match=r"no mask for 3 of 4 images, first: 1\.png, 2\.png"):
        evaluate_results(tmp_path / "theirs", folder)
    for name in ("1", "3"):
        images.write(masks / f"{name}.png", np.ones((16, 16), dtype=np.uint8))
    found = evaluate_results(tmp_path / "theirs", folder)
    assert set(found.unreadable) == {"2.png"}
    assert found.summary()["any_defect"]["accuracy"] == 1


def test_a_mask_that_cannot_be_read_is_not_passed_over(folder, tmp_path):
    for name in ("0", "1", "3"):
        images.write(tmp_path / f"theirs/masks/{name}.png", np.zeros((16, 16), dtype=np.uint8))
    (tmp_path / "theirs/masks/1.png").write_bytes(b"no image")
    with pytest.raises(ResultsError, match=r"a mask that cannot be read: .*1\.png"):
        evaluate_results(tmp_path / "theirs", folder)
