from collections import Counter
from math import comb

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts, leakage, magnetic_tile, splitting
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError, ImageError
from tests.datasets.drawn import draw


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


def test_a_picture_that_cannot_be_read_is_an_error_unless_problems_are_collected(tmp_path):
    data = dataset(tmp_path, draw(0), draw(1), draw(0))
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"1\.png is not an image"):
        leakage.groups(data, "pictures")
    problems = []
    assert leakage.groups(data, "pictures", problems=problems).tolist() == [0, 1, 0]
    assert [problem.image for problem in problems] == ["1.png"]


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


def pairs_within(*groupings):
    """How many pairs of images are together in all of these groupings."""
    return sum(comb(count, 2) for count in Counter(zip(*groupings, strict=True)).values())


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("pattern", "count"),
    [("severstal*/*images/*", 44), ("crackforest/image/*.jpg", 88)],
)
def test_real_pictures_of_different_places_stay_alone(real_data, pattern, count):
    paths = sorted(real_data.glob(pattern))
    entries = tuple(Entry(name=path.name, path=path) for path in paths)
    groups = leakage.groups(Dataset(classes=(), entries=entries), "pictures")
    assert len(set(groups.tolist())) == len(paths) == count


@pytest.mark.slow
@pytest.mark.real_data
def test_the_leaks_of_neu_are_found_in_the_pictures(real_data):
    sets = {name: layouts.read(real_data / name) for name in ("neu_seg", "neu_cls")}
    data = splitting.together(sets)
    parts = np.array([entry.part or "cls" for entry in data.entries])
    # One numbering for both sets.
    truth = np.array([entry.group.partition("/")[2] for entry in data.entries])
    found = leakage.groups(data, "pictures")

    leaked = in_other(truth, parts, "test", "training")
    told = in_other(found, parts, "test", "training")
    assert leaked.sum() == 642
    assert (told & leaked).sum() >= 600
    assert (told & ~leaked).sum() <= 5

    seg = np.where(parts == "cls", "cls", "seg")
    shared, told = (in_other(groups, seg, "cls", "seg") for groups in (truth, found))
    assert shared.sum() == 772
    assert (told & shared).sum() >= 700
    assert (told & ~shared).sum() <= 5
    # Pairs that groups.csv does not know are nearly all halves of pictures pasted into others.
    assert pairs_within(found) - pairs_within(found, truth) <= 1000


@pytest.mark.slow
@pytest.mark.real_data
def test_most_photographs_of_one_tile_are_found_under_another_light(real_data):
    data = magnetic_tile.read(real_data / "magnetic_tile")
    truth = np.array([entry.group for entry in data.entries])
    groups = leakage.groups(data, "pictures")
    together = Counter(zip(truth, groups, strict=True))
    sizes = Counter(truth)
    finds = [
        together[tile, group] > 1
        for tile, group in zip(truth, groups, strict=True)
        if sizes[tile] > 1
    ]
    assert np.mean(finds) > 0.95
    true_pairs = pairs_within(groups, truth)
    assert true_pairs / pairs_within(truth) > 0.7
    assert true_pairs / pairs_within(groups) > 0.98
