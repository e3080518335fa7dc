import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import splits, splitting
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, ConfigError, DatasetNotFoundError
from tests.datasets.drawn import draw

SHARES = {"train": 0.75, "validation": 0.25}


class Refusing:
    """Masks of another size than their image."""

    def read(self, shape):
        msg = f"expected masks of {shape}"
        raise AnnotationError(msg)


@pytest.fixture
def data(tmp_path) -> Dataset:
    """Sixteen pictures; each of the last eight is one of the first, turned."""
    entries = []
    for number in range(16):
        picture = draw(number % 8)
        images.write(tmp_path / f"{number}.png", np.rot90(picture, number // 8).copy())
        part = "test" if number % 5 == 0 else "train"
        labels = (number % 2 == 0, number % 4 == 0)
        path = tmp_path / f"{number}.png"
        entries.append(Entry(name=path.name, path=path, labels=labels, part=part))
    return Dataset(classes=("pits", "rust"), entries=tuple(entries))


def test_turned_copies_stay_together(data, tmp_path):
    found = splitting.split(data, shares=SHARES)
    assert found.leaks == ()
    assert found.images == {"train": 12, "validation": 4}
    assert found.class_images["validation"]["pits"] == 2
    assert all(found.parts[f"{n}.png"] == found.parts[f"{n + 8}.png"] for n in range(8))


def test_without_looking_at_the_pictures_they_may_part(data):
    found = splitting.split(data, shares=SHARES, way="none")
    assert len(set(found.groups.values())) == 16


def test_classes_that_a_part_cannot_show_are_told(data):
    even = [replace(entry, labels=(True, True)) for entry in data.entries]
    assert splitting.split(replace(data, entries=tuple(even)), shares=SHARES).absent == {}
    few = [replace(entry, labels=(False, entry.name == "3.png")) for entry in data.entries]
    found = splitting.split(replace(data, entries=tuple(few)), shares=SHARES)
    (other,) = set(found.parts.values()) - {found.parts["3.png"]}
    assert found.absent == {other: ["rust"]}


def test_folds_are_written_and_read_back(data, tmp_path):
    found = splitting.split(data, fold_count=4)
    found.write(tmp_path / "split.csv")
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {""}
    assert len({row["group"] for row in rows}) == 8
    parts = splits.read(tmp_path / "split.csv", data, fold=2)
    assert set(parts["validation"].names) == {
        name for name, fold in found.folds.items() if fold == 2
    }


def test_published_parts_are_checked(data):
    (one, other) = splitting.check({"data": data}, "published").leaks
    assert {one.part, other.part} == {"train", "test"}
    # 0, 5, 10 and 15 are published as test; their mates 8, 13, 2 and 7 as train.
    assert set(one.images if one.part == "test" else other.images) == {
        "0.png",
        "5.png",
        "10.png",
        "15.png",
    }


def test_a_written_split_is_checked(data, tmp_path):
    splitting.split(data, shares=SHARES).write(tmp_path / "split.csv")
    assert splitting.check({"data": data}, str(tmp_path / "split.csv")).leaks == ()


def test_data_sets_are_compared(data):
    first = data.subset(range(8))
    second = data.subset(range(6, 16))
    leaks = splitting.check({"first": first, "second": second}, "sets").leaks
    assert {leak.part: len(leak.images) for leak in leaks} == {"first": 8, "second": 10}


def test_data_sets_are_told_apart_whatever_they_are_called(data):
    one, two = data.subset(range(4)), data.subset(range(8, 12))
    leaks = splitting.check({"disk/a": one, "disk/b": two}, "sets").leaks
    assert {leak.part: leak.other for leak in leaks} == {"disk/a": "disk/b", "disk/b": "disk/a"}


def test_images_that_cannot_be_read_are_left_out_and_named(data, tmp_path):
    (tmp_path / "3.png").write_bytes(b"no picture")
    (tmp_path / "4.png").unlink()
    found = splitting.split(data, shares=SHARES)
    assert [problem.image for problem in found.problems] == ["3.png", "4.png"]
    assert found.parts.keys() == found.groups.keys() == set(data.names) - {"3.png", "4.png"}
    # The right ones were left out: each of the others still finds its turned copy.
    assert found.groups["5.png"] == found.groups["13.png"]
    assert len(set(found.groups.values())) == 8
    checked = splitting.check({"data": data}, "published")
    assert [problem.image for problem in checked.problems] == ["3.png", "4.png"]
    assert len(checked.parts) == 16


def test_masks_that_do_not_fit_leave_their_image_out(data):
    entries = list(data.entries)
    entries[2] = replace(entries[2], name="bad.png", labels=None, masks=Refusing())
    found = splitting.split(replace(data, entries=tuple(entries)), shares=SHARES)
    assert [problem.image for problem in found.problems] == ["bad.png"]
    assert "bad.png" not in found.parts


def test_if_nothing_can_be_read_there_is_no_split(data, tmp_path):
    for number in range(16):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(AnnotationError, match=r"none of 16 images can be read, first: .*0\.png"):
        splitting.split(data)


def test_annotations_alone_are_split_by_what_they_say(data):
    bare = replace(data, entries=tuple(replace(entry, path=None) for entry in data.entries))
    with pytest.raises(DatasetNotFoundError, match=r"no images to compare\. Add --groups given"):
        splitting.split(bare)
    assert len(splitting.split(bare, way="given").parts) == 16


@pytest.mark.parametrize("what", ["published", "split.csv"])
def test_several_data_sets_are_only_compared(data, what):
    message = f"'{what}' is looked for in one data set, got 2; to compare data sets, check 'sets'"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        splitting.check({"a": data, "b": data}, what)


def test_one_data_set_is_not_compared(data):
    message = "^'sets' compares several data sets, got 1; name another$"
    with pytest.raises(ConfigError, match=message):
        splitting.check({"a": data}, "sets")


def test_parts_that_nobody_published_are_refused(data):
    bare = Dataset(
        classes=data.classes,
        entries=tuple(Entry(name=entry.name, path=entry.path) for entry in data.entries),
    )
    with pytest.raises(ConfigError, match="comes without published parts"):
        splitting.check({"a": bare}, "published")
    with pytest.raises(AnnotationError, match="16 images have no labels"):
        splitting.split(bare, way="none")
