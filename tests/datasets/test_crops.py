import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from steel_defect_detection import images
from steel_defect_detection.datasets import layouts
from steel_defect_detection.datasets.crops import Box, Cutting, around, cut, find
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import (
    AnnotationError,
    ConfigError,
    DatasetNotFoundError,
    MaskError,
    ResultsError,
)
from tests.datasets.drawn import Masks, entry

MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def by_scipy(labels, count, mask):
    found = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels, count), start=1):
        box = (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
        found.append((box, int((labels[rows, columns] == number)[mask[rows, columns]].sum())))
    return sorted(found)


@given(MASKS)
def test_defects_are_the_components_that_scipy_finds(mask):
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert [(tuple(box), area) for box, area in find(mask)] == by_scipy(labels, count, mask)


def joined_by_distances(mask, join):
    """Number pixels so that two share a number if a chain of short gaps leads between them."""
    places = np.argwhere(mask)
    gaps = np.abs(places[:, None] - places[None]).max(axis=2) - 1
    near = gaps <= join
    for middle in range(len(places)):
        near |= near[:, [middle]] & near[[middle]]
    return [tuple(map(tuple, places[row])) for row in {tuple(row): row for row in near}.values()]


@given(MASKS, st.integers(0, 4))
@settings(max_examples=60)
def test_parts_are_one_defect_if_a_chain_of_gaps_no_longer_than_join_leads_between_them(mask, join):
    expected = []
    for pixels in joined_by_distances(mask, join):
        rows, columns = zip(*pixels, strict=True)
        top, left = min(rows), min(columns)
        expected.append(((top, left, max(rows) - top + 1, max(columns) - left + 1), len(pixels)))
    assert [(tuple(box), area) for box, area in find(mask, join=join)] == sorted(expected)


def test_defects_are_found_in_bool_masks_only():
    with pytest.raises(MaskError, match="expected a bool mask"):
        find(np.ones((3, 3), dtype=np.uint8))


def spans(limit):
    """First row or column of a defect, and its length, inside an image of that size."""
    return st.integers(0, limit - 1).flatmap(
        lambda start: st.tuples(st.just(start), st.integers(1, limit - start))
    )


@given(st.data(), st.integers(3, 50), st.integers(3, 50), st.floats(0, 3))
def test_crops_hold_their_defect_stay_inside_and_can_be_read(data, rows, columns, margin):
    (top, height), (left, width) = data.draw(spans(rows)), data.draw(spans(columns))
    box = Box(top, left, height, width)
    wide = around(box, margin, (rows, columns))
    assert 0 <= wide.top <= box.top
    assert 0 <= wide.left <= box.left
    assert box.top + box.height <= wide.top + wide.height <= rows
    assert box.left + box.width <= wide.left + wide.width <= columns
    assert min(wide.height, wide.width) >= images.MIN_SIDE


def test_the_margin_is_a_share_of_the_longer_side():
    assert around(Box(50, 50, 2, 40), 0.25, (200, 200)) == (40, 40, 22, 60)
    assert around(Box(50, 50, 4, 40), 0, (200, 200)) == (50, 50, 4, 40)


@pytest.fixture
def dataset():
    """A bright square and a line on one image, a dot in the corner of another."""
    image = np.arange(400).reshape(20, 20) % 251
    square, line, dot = (np.zeros((20, 20), dtype=np.bool_) for _ in range(3))
    square[2:6, 3:7] = True
    square[15:19, 3:7] = True
    line[10, 0:20] = True
    dot[19, 19] = True
    return Dataset(
        classes=("dent", "scratch"),
        entries=(
            entry("coil/a.png", image, [square, line]),
            entry("b.png", image + 1, [dot, np.zeros((20, 20))]),
            entry("clean.png", image + 2, np.zeros((2, 20, 20))),
            entry("unmasked.png", image + 3, labels=(True, False)),
        ),
    )


def test_each_defect_becomes_a_picture_and_a_row(dataset, tmp_path):
    crops = cut(dataset, tmp_path / "out", Cutting(margin=0.25))
    assert crops.counts() == {"dent": 3, "scratch": 1}
    assert (crops.problems, crops.left_over) == ((), ())
    table = pd.read_csv(tmp_path / "out/crops.csv")
    assert table.columns.tolist() == [
        "crop",
        "image",
        "class",
        "top",
        "left",
        "height",
        "width",
        "area",
    ]
    assert table.to_numpy().tolist() == [
        ["dent/coil-a-1.png", "coil/a.png", "dent", 1, 2, 6, 6, 16],
        ["dent/coil-a-2.png", "coil/a.png", "dent", 14, 2, 6, 6, 16],
        ["scratch/coil-a-1.png", "coil/a.png", "scratch", 5, 0, 11, 20, 20],
        ["dent/b-1.png", "b.png", "dent", 17, 17, 3, 3, 1],
    ]
    sources = {item.name: item.read_image() for item in dataset.entries}
    for row in table.itertuples():
        part = sources[row.image][row.top : row.top + row.height, row.left : row.left + row.width]
        assert np.array_equal(images.read(tmp_path / "out" / row.crop)[..., :1], part)
    written = {path.relative_to(tmp_path / "out").as_posix() for path in tmp_path.rglob("*.png")}
    assert written == set(table.crop)


def test_crops_are_a_data_set_of_one_folder_per_class(dataset, tmp_path):
    cut(dataset, tmp_path)
    read = layouts.read(tmp_path)
    assert read.classes == ("dent", "scratch")
    assert read.labels().sum(axis=0).tolist() == [3, 1]


def test_crops_of_one_image_or_of_one_group_are_never_parted(dataset, tmp_path):
    crops = cut(dataset, tmp_path / "single").crops
    read = {entry.name: entry.group for entry in layouts.read(tmp_path / "single").entries}
    assert read == {crop.path: crop.image for crop in crops}
    together = tuple(replace(entry, group="coil 7") for entry in dataset.entries)
    cut(replace(dataset, entries=together), tmp_path / "joined")
    assert {entry.group for entry in layouts.read(tmp_path / "joined").entries} == {"coil 7"}


def test_small_defects_are_left_out_and_near_ones_joined(dataset, tmp_path):
    assert cut(dataset, tmp_path / "large", Cutting(min_area=17)).counts() == {"scratch": 1}
    joined = cut(dataset, tmp_path / "joined", Cutting(join=9)).crops
    assert [crop.area for crop in joined if crop.image == "coil/a.png"] == [32, 20]


def test_images_that_fail_are_named_and_the_rest_goes_on(dataset, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    masks = Masks(np.ones((2, 20, 20), dtype=np.bool_))
    entries = (
        Entry(name="bad.png", path=tmp_path / "bad.png", masks=masks),
        entry("small.png", np.zeros((5, 5)), np.ones((2, 20, 20))),
        *dataset.entries,
    )
    bad = Dataset(classes=dataset.classes, entries=entries)
    crops = cut(bad, tmp_path / "out")
    assert [problem.image for problem in crops.problems] == ["bad.png", "small.png"]
    assert len(crops.crops) == 4


def test_names_are_safe_and_never_shared(tmp_path):
    names = ("a/b.png", "a\\b.png", "A-B.jpg", "con", "x:y?.png", "../../up.png")
    classes = ("in/out", "IN:OUT", "..", "nul")
    entries = tuple(entry(name, np.zeros((9, 9)), np.ones((4, 9, 9))) for name in names)
    crops = cut(Dataset(classes=classes, entries=entries), tmp_path / "out")
    paths = [crop.path for crop in crops.crops]
    assert len({path.casefold() for path in paths}) == len(paths) == 24
    assert all(re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*\.png", path) for path in paths)
    assert all((tmp_path / "out" / path).is_file() for path in paths)
    assert len(list(tmp_path.rglob("*.png"))) == 24


def test_defects_of_the_good_class_are_none(dataset, tmp_path):
    good = Dataset(classes=dataset.classes, entries=dataset.entries, good_class="scratch")
    assert cut(good, tmp_path).counts() == {"dent": 3}


def test_a_folder_that_holds_something_is_refused_and_kept(dataset, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ResultsError, match=r"is not empty: it holds mine\.txt"):
        cut(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pictures_of_an_earlier_run_stay_and_are_named(dataset, tmp_path):
    cut(dataset, tmp_path)
    again = cut(dataset, tmp_path, Cutting(min_area=17), overwrite=True)
    assert again.left_over == ("dent/b-1.png", "dent/coil-a-1.png", "dent/coil-a-2.png")
    assert len(list(tmp_path.rglob("*.png"))) == 4


@pytest.mark.parametrize(
    "how",
    [Cutting(margin=-0.1), Cutting(join=-1), Cutting(min_area=-1), Cutting(margin=float("nan"))],
)
def test_impossible_settings_are_refused(dataset, tmp_path, how):
    with pytest.raises(ConfigError, match="must not be negative"):
        cut(dataset, tmp_path, how)


def test_sets_without_masks_or_without_images_are_refused(dataset, tmp_path):
    with pytest.raises(AnnotationError, match="none of 1 images has masks"):
        cut(dataset[3:], tmp_path)
    masks = Masks(np.ones((2, 3, 3), dtype=np.bool_))
    only = Dataset(classes=("a", "b"), entries=(Entry(name="x", shape=(3, 3), masks=masks),))
    with pytest.raises(DatasetNotFoundError, match="not the images themselves"):
        cut(only, tmp_path)


@pytest.mark.real_data
def test_crops_of_real_strips_are_the_components_of_their_masks(real_data, tmp_path):
    dataset = layouts.read(real_data / "severstal")
    crops = cut(dataset, tmp_path).crops
    expected = sum(
        ndimage.label(mask, structure=np.ones((3, 3)))[1]
        for sample in dataset
        for mask in sample.masks
    )
    assert len(crops) == expected > 0
    assert sum(crop.area for crop in crops) == sum(sample.masks.sum() for sample in dataset)
