import cv2
import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import kolektor
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

GREY = np.full((6, 5), 90, dtype=np.uint8)


def mask(value):
    values = np.zeros((6, 5), dtype=np.uint8)
    values[2, 1:3] = value
    return values


def test_the_sides_of_one_part_are_a_group(tmp_path):
    for part, value in (("kos01", 255), ("kos02", 0)):
        images.write(tmp_path / part / "Part0.jpg", GREY)
        bitmap = cv2.imencode(".bmp", mask(value))[1].tobytes()
        (tmp_path / part / "Part0_label.bmp").write_bytes(bitmap)
    dataset = kolektor.read(tmp_path)
    assert dataset.names == ("kos01/Part0", "kos02/Part0")
    assert [entry.group for entry in dataset.entries] == ["kos01", "kos02"]
    assert dataset.labelled().labels().tolist() == [[True], [False]]


def test_the_second_set_has_published_parts(tmp_path):
    for part, value in (("train", 1), ("test", 0)):
        images.write(tmp_path / part / "100.png", GREY)
        images.write(tmp_path / part / "100_GT.png", mask(value))
    dataset = kolektor.read(tmp_path)
    assert dataset.names == ("test/100", "train/100")
    assert [entry.part for entry in dataset.entries] == ["test", "train"]
    assert dataset[1].masks.sum() == 2


def test_images_and_masks_without_each_other_are_named(tmp_path):
    images.write(tmp_path / "train/1.png", GREY)
    images.write(tmp_path / "train/2_GT.png", GREY)
    with pytest.raises(AnnotationError, match=r"1\.png has no mask; .*2_GT\.png has no image"):
        kolektor.read(tmp_path)


def test_another_folder_is_refused(tmp_path):
    assert not kolektor.is_layout(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="no Kolektor data in"):
        kolektor.read(tmp_path)
