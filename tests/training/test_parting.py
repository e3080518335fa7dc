"""The parts that a run trains and validates on."""

from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import parting
from steel_defect_detection.training.run import train
from tests.training.small_runs import GATE, SEGMENTER, rows


def test_without_a_manifest_groups_are_not_parted(data, tmp_path):
    dataset = severstal.read(data)
    entries = tuple(
        replace(entry, group=f"coil {number // 3}") for number, entry in enumerate(dataset.entries)
    )
    short = GATE.model_copy(update={"epochs": 1, "validation_share": 0.4})
    train(short, replace(dataset, entries=entries), tmp_path)
    parts = {row["image"]: row["split"] for row in rows(tmp_path / "split.csv")}
    assert set(parts.values()) == {"train", "validation"}
    for first in (0, 3, 6):
        assert len({parts[name] for name in dataset.names[first : first + 3]}) == 1


def test_one_fold_is_for_validation_and_the_others_are_for_training(data, tmp_path):
    names = severstal.read(data).names
    folds = {name: number % 4 for number, name in enumerate(names)}
    splits.write(tmp_path / "folds.csv", dict.fromkeys(names, ""), fold_numbers=folds)
    short = GATE.model_copy(update={"epochs": 1})
    train(short, data, tmp_path / "run", split=tmp_path / "folds.csv", fold=2)
    parts = {row["image"]: row["split"] for row in rows(tmp_path / "run/split.csv")}
    assert [name for name in names if parts[name] == "validation"] == [names[2], names[6]]
    with pytest.raises(ConfigError, match=r"fold 2 belongs to a split\.csv: name it with --split"):
        train(short, data, tmp_path / "other", fold=2)


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("training", "val", "testing"), {"training": "train", "val": "validation"}),
        # Without published validation images some of the training images serve.
        (("train", "test"), {"train": None}),
    ],
)
def test_published_parts_are_kept_and_their_test_images_left_alone(tmp_path, folders, parts):
    random = np.random.default_rng(0)
    for place in folders:
        for kind in ("good", "bad"):
            for number in range(6):
                image = random.integers(0, 255, (32, 32, 1), dtype=np.uint8)
                images.write(tmp_path / "data" / place / kind / f"{number}.png", image)
    settings = GATE.model_copy(update={"epochs": 1})
    train(settings, tmp_path / "data", tmp_path / "run", split="published")
    taken = {row["image"]: row["split"] for row in rows(tmp_path / "run/split.csv")}
    assert {name.split("/")[0] for name in taken} == set(parts)
    assert set(taken.values()) == {"train", "validation"}
    assert all(parts[name.split("/")[0]] in {None, split} for name, split in taken.items())


def test_all_images_can_be_trained_on(data, tmp_path):
    everything = {"keep": "last", "validation_share": 0.0, "scheduler": "cosine", "epochs": 1}
    train(SEGMENTER.model_copy(update=everything), data, tmp_path)
    assert {row["split"] for row in rows(tmp_path / "split.csv")} == {"train"}


def test_a_split_can_be_given(data, tmp_path):
    names = severstal.read(data).names
    table = ["image,split,fold,group", f"{names[1]},train,,", f"{names[0]},validation,,"]
    (tmp_path / "split.csv").write_text("\n".join(table))
    config = SEGMENTER.model_copy(update={"epochs": 1, "crops_per_image": 2})
    train(config, data, tmp_path / "run", split=tmp_path / "split.csv")
    assert [row["image"] for row in rows(tmp_path / "run/split.csv")] == [names[1], names[0]]


@pytest.mark.parametrize(
    ("labels", "shown", "expected"),
    [
        ("auto", [(True, False), (False, True)], True),
        ("auto", [(True, False), (False, False)], False),
        ("auto", [(True, False), (True, True)], False),
        ("auto", [(True, False), None], False),
        # One class alone excludes nothing.
        ("auto", [(True,), (True,)], False),
        ("exclusive", [(True, False), (False, False)], True),
        ("independent", [(True, False), (False, True)], False),
    ],
)
def test_classes_exclude_each_other_where_each_image_shows_one_of_several(labels, shown, expected):
    entries = tuple(Entry(name=str(number), labels=row) for number, row in enumerate(shown))
    dataset = Dataset(classes=("rust", "pits")[: len(shown[0])], entries=entries)
    config = GATE.model_copy(update={"labels": labels})
    assert parting.is_exclusive(config, (dataset[:1], dataset[1:])) == expected
    outlines = SEGMENTER.model_copy(update={"labels": labels})
    assert not parting.is_exclusive(outlines, (dataset[:1], dataset[1:]))


def test_parts_that_are_written_read_back_as_the_same(data, tmp_path):
    dataset = severstal.read(data).labelled()
    parts = parting.part(GATE, dataset, None, None)
    assert sorted(parts[0].names + parts[1].names) == sorted(dataset.names)
    parting.write(tmp_path / "split.csv", parts)
    again = parting.part(GATE, dataset, tmp_path / "split.csv", None)
    assert [part.names for part in again] == [part.names for part in parts]


def parted(entries, **settings):
    labels = tuple(replace(entry, labels=(True, False)) for entry in entries)
    dataset = Dataset(classes=("a", "b"), entries=labels)
    config = GATE.model_copy(update={"validation_share": 0.5, **settings})
    return parting.part(config, dataset, None, None)


def test_synthetic_images_are_trained_on_and_never_validated_on(caplog):
    real = [Entry(name=f"real {number}") for number in range(6)]
    made = [Entry(name=f"made {number}", made_from=(f"real {number}",)) for number in range(6)]
    drawn = [Entry(name="drawn", made_from=())]
    caplog.set_level("INFO", logger="steel_defect_detection")
    training, validation = parted([*real, *made, *drawn])
    assert all(name.startswith("real") for name in validation.names)
    seen = {name[-1] for name in validation.names}
    assert {name[-1] for name in training.names if name.startswith("made")}.isdisjoint(seen)
    assert len(training) == 2 * (6 - len(validation)) + 1
    assert "drawn" in training.names
    assert f"{len(validation)} of 7 synthetic images are left out" in caplog.text


def test_neighbours_of_the_validation_images_give_nothing_away_either():
    real = [Entry(name=f"real {number}", group=f"tile {number // 2}") for number in range(8)]
    made = [Entry(name=f"made {tile}", made_from=(f"tile {tile}",)) for tile in range(4)]
    training, validation = parted([*real, *made])
    tiles = {entry.group for entry in validation.entries}
    for entry in training.entries:
        assert tiles.isdisjoint({entry.group, *(entry.made_from or ())})


def test_nothing_but_synthetic_images_is_dealt_out_with_a_warning(caplog):
    caplog.set_level("INFO", logger="steel_defect_detection")
    training, validation = parted([Entry(name=str(n), made_from=()) for n in range(8)])
    assert len(training) + len(validation) == 8
    assert len(validation) == 4
    assert "all images are synthetic" in caplog.text


def test_a_split_whose_synthetic_images_give_away_others_is_refused(tmp_path):
    entries = (
        Entry(name="real", labels=(True,)),
        Entry(name="made", labels=(True,), made_from=("real",)),
    )
    dataset = Dataset(classes=("a",), entries=entries)
    splits.write(tmp_path / "split.csv", {"real": "validation", "made": "train"})
    with pytest.raises(ConfigError, match=r"leaks: 1 synthetic images.*made in train like real"):
        parting.part(GATE, dataset, tmp_path / "split.csv", None)


def test_the_parts_that_synthetic_images_were_made_for_are_kept():
    """Otherwise the images kept back for the test would be learned."""
    entries = [
        Entry(name="a", part="train"),
        Entry(name="b", part="validation"),
        Entry(name="c", part="test"),
        Entry(name="made", part="train", made_from=("a",)),
    ]
    training, validation = parted(entries)
    assert training.names == ("a", "made")
    assert validation.names == ("b",)
    unmade = [entry for entry in entries if entry.made_from is None]
    assert sum(map(len, parted(unmade))) == 3


def leaks_said(data, table, caplog):
    dataset = severstal.read(data).labelled()
    names = dataset.names
    lines = [f"{names[number]},{part},,{group}" for number, part, group in table]
    path = data.parent / "split.csv"
    path.write_text("\n".join(["image,split,fold,group", *lines]))
    parting.part(SEGMENTER, dataset, path, None)
    return [text for text in caplog.messages if "leaks" in text]


def test_a_split_that_parts_a_group_is_remarked_upon(data, caplog):
    table = [(0, "train", 1), (1, "validation", 1), (2, "validation", 1), (3, "validation", 2)]
    (said,) = leaks_said(data, table, caplog)
    assert "split.csv leaks: 2 images to validate on are of a group that is trained on" in said


@pytest.mark.parametrize(
    "table",
    [
        [(0, "train", 1), (1, "validation", 2)],
        [(0, "train", ""), (1, "validation", "")],
        [(0, "train", 1), (1, "validation", 2), (2, "test", 1)],
    ],
    ids=["other groups", "no groups", "test images"],
)
def test_a_split_that_keeps_groups_whole_is_not(data, caplog, table):
    assert leaks_said(data, table, caplog) == []
