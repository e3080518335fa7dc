import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import leakage, magnetic_tile, neu_seg
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError
from tests.datasets.test_duplicates import draw


def dataset(folder, *pictures, groups=()) -> Dataset:
    entries = []
    for number, picture in enumerate(pictures):
        images.write(folder / f"{number}.png", picture)
        group = groups[number] if groups else None
        entries.append(Entry(name=f"{number}.png", path=folder / f"{number}.png", group=group))
    return Dataset(classes=("defect",), entries=tuple(entries))


def test_groups_come_from_the_data_set_the_pictures_or_both(tmp_path):
    pictures = [draw(0), draw(1), draw(2), np.rot90(draw(2)).copy()]
    data = dataset(tmp_path, *pictures, groups=("a", None, "a", None))
    ways = {
        way: leakage.groups(data, way).tolist() for way in ("none", "given", "pictures", "both")
    }
    assert ways == {
        "none": [0, 1, 2, 3],
        "given": [0, 1, 0, 2],
        "pictures": [0, 1, 2, 2],
        "both": [0, 1, 0, 0],
    }


def test_another_way_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="got 'names'"):
        leakage.groups(dataset(tmp_path, draw(0)), "names")


def test_each_ordered_pair_of_parts_tells_what_leaks():
    parts = {"a": "train", "b": "train", "c": "test", "d": "test", "e": "test"}
    one, two = leakage.leaks("abcdef", parts, [7, 8, 7, 7, 9, 7])
    assert (one.part, one.other, one.images) == ("test", "train", ("c", "d"))
    assert (two.part, two.other, two.images) == ("train", "test", ("a",))
    assert one.examples == (("c", "a"),)


def test_nothing_leaks_between_parts_of_whole_groups():
    assert leakage.leaks("abc", {"a": "x", "b": "x", "c": "y"}, [0, 0, 1]) == []


def in_other(groups, parts, part, other):
    elsewhere = set(groups[parts == other])
    return np.array([group in elsewhere for group in groups]) & (parts == part)


@pytest.mark.slow
@pytest.mark.real_data
def test_the_leaks_of_the_published_split_are_found_in_the_pictures(real_data):
    data = neu_seg.read(real_data / "neu_seg")
    parts = np.array([entry.part for entry in data.entries])
    truth = np.array([entry.group for entry in data.entries])
    leaked = in_other(truth, parts, "test", "training")
    found = in_other(leakage.groups(data, "pictures"), parts, "test", "training")
    assert leaked.sum() == 642
    assert (found & leaked).sum() >= 600
    assert (found & ~leaked).sum() <= 5


@pytest.mark.slow
@pytest.mark.real_data
def test_most_photographs_of_one_tile_are_found_under_another_light(real_data):
    data = magnetic_tile.read(real_data / "magnetic_tile")
    truth = np.array([entry.group for entry in data.entries])
    groups = leakage.groups(data, "pictures")
    _, tile, sizes = np.unique(truth, return_inverse=True, return_counts=True)
    has_mate = sizes[tile] > 1
    pairs = zip(truth, groups, strict=True)
    finds = np.array([((truth == tile) & (groups == group)).sum() > 1 for tile, group in pairs])
    assert finds[has_mate].mean() > 0.9
