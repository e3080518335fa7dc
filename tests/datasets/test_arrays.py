import re

import numpy as np
import pytest

from steel_defect_detection.datasets import arrays
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

IMAGES = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)


def save(folder, images, labels):
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    return folder


@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., :1], IMAGES[..., 0]])
def test_rows_are_images_and_numbers_are_classes(tmp_path, images):
    dataset = arrays.read(save(tmp_path, images, np.array([2, 0, 2])))
    assert dataset.classes == ("class_0", "class_1", "class_2")
    assert dataset.labels().argmax(axis=1).tolist() == [2, 0, 2]
    assert dataset[1].image.shape == (4, 5, images.shape[3] if images.ndim == 4 else 1)
    assert (dataset[1].image == images[1].reshape(4, 5, -1)).all()
    assert dataset.entries[1].read_shape() == (4, 5)


def test_a_file_may_name_the_classes(tmp_path):
    (tmp_path / "classes.txt").write_text("bulges\nholes\nscratches\n")
    dataset = arrays.read(save(tmp_path, IMAGES, np.array([2, 0, 2])))
    assert dataset.classes == ("bulges", "holes", "scratches")


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES.astype(float), [0, 0, 0], "expected uint8 of shape (images, height, width"),
        (IMAGES[0, 0], [0, 0, 0], "got uint8 of shape (5, 3)"),
        (IMAGES, [0, 1], "expected 3 whole numbers from 0, got int64 of shape (2,)"),
        (IMAGES, [0.5, 1, 2], "expected 3 whole numbers from 0, got float64"),
        (IMAGES, [0, -1, 2], "expected 3 whole numbers from 0"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, images, labels, message):
    with pytest.raises(AnnotationError, match=re.escape(message)):
        arrays.read(save(tmp_path, images, np.array(labels)))


def test_an_array_of_objects_is_not_opened(tmp_path):
    np.save(tmp_path / "images.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "labels.npy", np.array([0]))
    with pytest.raises(AnnotationError, match=r"images\.npy is no NumPy array"):
        arrays.read(tmp_path)


def test_a_missing_array_is_named(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    assert not arrays.is_layout(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"labels\.npy is missing"):
        arrays.read(tmp_path)


def test_images_of_one_group_are_known_by_their_row(tmp_path):
    save(tmp_path, IMAGES, np.array([0, 1, 1]))
    (tmp_path / "groups.csv").write_text("row,group\n0,strip-1\n2,strip-1\n")
    groups = [entry.group for entry in arrays.read(tmp_path).entries]
    assert groups == ["strip-1", None, "strip-1"]


def test_labels_of_a_clustering_are_no_truth_and_say_so(tmp_path):
    save(tmp_path, IMAGES, np.array([0, 1, 1]))
    assert arrays.read(tmp_path).note == ""
    (tmp_path / "clusters.json").write_text("{}")
    dataset = arrays.read(tmp_path)
    assert "agrees with it, not how often it is right" in dataset.note
    assert dataset.subset([1]).note == dataset.note
