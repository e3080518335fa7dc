import os
import pickle

import numpy as np
import pytest

from steel_defect_detection.datasets import cifar10
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError


@pytest.fixture
def folder(tmp_path):
    """Two batches of two images each."""
    random = np.random.default_rng(0)
    for name, labels in (("data_batch_1", [3, 9]), ("test_batch", [0, 3])):
        pixels = random.integers(0, 256, size=(2, 3072), dtype=np.uint8)
        batch = {b"data": pixels, b"labels": labels, b"filenames": [b"x.png"] * 2}
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=2))
    return tmp_path


def test_planes_become_pixels(folder):
    dataset = cifar10.read(folder)
    assert dataset.names == (
        "data_batch_1/0",
        "data_batch_1/1",
        "test_batch/0",
        "test_batch/1",
    )
    row = pickle.loads((folder / "data_batch_1").read_bytes())[b"data"][1]
    red, green, blue = dataset[1].image[2, 5]
    assert (red, green, blue) == (row[2 * 32 + 5], row[1024 + 69], row[2048 + 69])
    assert dataset.classes[dataset.labels()[1].argmax()] == "truck"
    assert [entry.part for entry in dataset.entries] == ["train", "train", "test", "test"]


def test_a_batch_that_would_run_code_is_refused(folder, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'harm'}",)

    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Harm(), b"labels": []}))
    with pytest.raises(AnnotationError, match="which plain data does not"):
        cifar10.read(folder)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, "labels outside 0 to 9"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}, "1 images and 2 labels"),
        ({b"data": np.zeros((1, 30), np.uint8), b"labels": [1]}, "expected uint8 of shape"),
        ([1, 2], "is no batch of CIFAR-10"),
    ],
)
def test_a_batch_of_other_content_is_refused(folder, batch, message):
    (folder / "test_batch").write_bytes(pickle.dumps(batch))
    with pytest.raises(AnnotationError, match=message):
        cifar10.read(folder)


def test_a_damaged_batch_is_named(folder):
    (folder / "test_batch").write_bytes((folder / "test_batch").read_bytes()[:100])
    with pytest.raises(AnnotationError, match="test_batch is no batch of CIFAR-10"):
        cifar10.read(folder)


def test_another_folder_is_refused(tmp_path):
    assert not cifar10.is_layout(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="data_batch_1 is missing"):
        cifar10.read(tmp_path)
