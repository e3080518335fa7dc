import re

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets.label_maps import LabelMapFile, ThresholdedFile
from steel_defect_detection.errors import AnnotationError

VALUES = np.array([[0, 1, 2], [0, 127, 128], [255, 3, 0]], dtype=np.uint8)


def test_each_value_is_a_class(tmp_path):
    path = tmp_path / "mask.png"
    images.write(path, np.array([[0, 1, 2], [3, 0, 0], [1, 1, 0]], dtype=np.uint8))
    masks = LabelMapFile(path=path, class_count=3).read((3, 3))
    assert masks.sum(axis=(1, 2)).tolist() == [3, 1, 1]
    assert masks[2].nonzero() == (np.array([1]), np.array([0]))


def test_a_value_that_is_no_class_is_named(tmp_path):
    images.write(tmp_path / "mask.png", VALUES)
    source = LabelMapFile(path=tmp_path / "mask.png", class_count=3)
    with pytest.raises(AnnotationError, match=r"mask\.png: value 255, but there are 3 classes"):
        source.read((3, 3))


def test_only_what_is_brighter_than_the_threshold_is_defect(tmp_path):
    images.write(tmp_path / "mask.png", VALUES)
    masks = ThresholdedFile(path=tmp_path / "mask.png", class_number=2, class_count=2).read((3, 3))
    assert not masks[0].any()
    assert np.argwhere(masks[1]).tolist() == [[1, 2], [2, 0]]


def test_no_class_gives_empty_masks(tmp_path):
    source = ThresholdedFile(path=tmp_path / "missing.png", class_number=0, class_count=2)
    assert not source.read((3, 3)).any()


def test_a_mask_of_another_size_is_named(tmp_path):
    images.write(tmp_path / "mask.png", VALUES)
    source = LabelMapFile(path=tmp_path / "mask.png", class_count=255)
    with pytest.raises(AnnotationError, match=re.escape("mask.png is 3 x 3, its image 4 x 3")):
        source.read((3, 4))
