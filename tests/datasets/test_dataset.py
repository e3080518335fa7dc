import numpy as np
import pytest

from steel_defect_detection.datasets import severstal
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ImageError
from tests.datasets.drawn import entry


def test_labels_are_known_without_reading_a_picture(tiny_severstal):
    dataset = severstal.read(tiny_severstal)
    for path in (tiny_severstal / "train_images").iterdir():
        path.write_bytes(b"no picture")
    assert dataset.labels().any(axis=1).tolist() == [False, True] * 4
    with pytest.raises(ImageError, match=r"sheet-0\.png"):
        _ = dataset[0]


def test_a_part_has_the_entries_that_were_asked_for_in_that_order(tiny_severstal):
    dataset = severstal.read(tiny_severstal)
    assert dataset.subset([5, 1]).names == ("sheet-5.png", "sheet-1.png")
    assert dataset[2:4].names == ("sheet-2.png", "sheet-3.png")
    assert len(dataset[:0]) == 0
    assert dataset[:0].labels().shape == (0, 4)


def test_a_data_set_can_be_walked_through_twice(tiny_severstal):
    dataset = severstal.read(tiny_severstal)
    first, again = ([sample.image for sample in dataset] for _ in range(2))
    assert len(first) == 8
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))


def test_images_without_labels_are_named(tmp_path):
    entries = tuple(Entry(name=f"{number}.png", path=tmp_path) for number in range(5))
    with pytest.raises(AnnotationError, match=r"5 images have no labels, first: 0\.png, 1\.png"):
        Dataset(classes=("a",), entries=entries).labels()


def test_labels_are_filled_in_from_the_masks_where_there_are_none():
    masks = [[[0, 0]], [[0, 1]]]
    unknown = entry("unknown", [[9, 9]])
    told = entry("told", [[9, 9]], masks, labels=(True, True))
    entries = (entry("drawn", [[9, 9]], masks), told, unknown)
    found = Dataset(classes=("a", "b"), entries=entries).labelled()
    assert [each.labels for each in found.entries] == [(False, True), (True, True), None]


class TestMedianSize:
    def test_it_is_that_of_the_images_that_can_be_read(self, tmp_path):
        lost = Entry(name="lost.png", path=tmp_path / "lost.png")
        shapes = [(10, 40), (20, 30), (90, 50)]
        entries = [Entry(name=f"{shape}", shape=shape) for shape in shapes]
        assert Dataset(classes=("a",), entries=(lost, *entries)).median_size() == (20, 40)

    def test_images_are_taken_from_the_whole_data_set(self):
        shapes = [(10, 10)] * 15 + [(20, 20)] * 25
        entries = tuple(Entry(name=f"{n}", shape=shape) for n, shape in enumerate(shapes))
        assert Dataset(classes=("a",), entries=entries).median_size() == (20, 20)

    def test_without_images_there_is_none(self, tmp_path):
        assert Dataset(classes=("a",), entries=()).median_size() is None
        lost = Entry(name="lost.png", path=tmp_path / "lost.png")
        assert Dataset(classes=("a",), entries=(lost,)).median_size() is None
