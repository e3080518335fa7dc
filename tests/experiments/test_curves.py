"""Bands over the epochs, against numbers worked out by hand."""

import csv
import math

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.experiments import curves, records
from steel_defect_detection.experiments.grid import variants
from tests.experiments.small_studies import record, study

FIRST, SECOND = variants(study())


def epochs(home, variant, run, losses):
    """Write a table of epochs as a training leaves it."""
    place = records.place(home, variant, run)
    place.mkdir(parents=True)
    lines = ["epoch,learning_rate,train_loss,validation_accuracy_majority"]
    lines += [f"{number},0.1,{loss},0.5" for number, loss in enumerate(losses, 1)]
    (place / "epochs.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def home(tmp_path):
    epochs(tmp_path, FIRST, 1, [1.0, 2.0, 3.0])
    epochs(tmp_path, FIRST, 2, [3.0, 2.0])
    epochs(tmp_path, SECOND, 1, [5.0])
    return tmp_path


def written(home, found):
    curves.write(home, (FIRST, SECOND), curves.collect(home, (FIRST, SECOND), found))
    with (home / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_mean_and_deviation_are_those_worked_out_by_hand(home):
    rows = written(home, [record(FIRST.name, 1), record(FIRST.name, 2), record(SECOND.name, 1)])
    assert {row["measure"] for row in rows} == {"train_loss"}
    table = [(row["variant"], row["epoch"], row["runs"], float(row["mean"])) for row in rows]
    assert table == [
        (FIRST.name, "1", "2", 2.0),
        (FIRST.name, "2", "2", 2.0),
        (FIRST.name, "3", "1", 3.0),
        (SECOND.name, "1", "1", 5.0),
    ]
    # 1 and 3 deviate from 2 by 1 each: sqrt(2 / (2 - 1)); one run deviates from nothing.
    assert float(rows[0]["std"]) == pytest.approx(math.sqrt(2))
    assert float(rows[1]["std"]) == 0
    assert rows[2]["std"] == rows[3]["std"] == ""


def test_only_finished_runs_of_this_study_are_read(home):
    epochs(home, FIRST, 3, [9.0])
    rows = written(home, [record(FIRST.name, 1)])
    assert [(row["epoch"], row["runs"]) for row in rows] == [("1", "1"), ("2", "1"), ("3", "1")]


def test_numpy_gives_the_same_band():
    values = np.random.default_rng(0).normal(size=(5, 7))
    band = curves.band(values)
    np.testing.assert_allclose(band.mean, values.mean(axis=0))
    np.testing.assert_allclose(band.std, values.std(axis=0, ddof=1))
    assert band.runs.tolist() == [5] * 7


def test_a_picture_is_drawn_for_each_measure(home):
    found = [record(FIRST.name, 1), record(FIRST.name, 2), record(SECOND.name, 1)]
    collected = curves.collect(home, (FIRST, SECOND), found)
    (path,) = curves.write(home, (FIRST, SECOND), collected)
    assert path.name == "curves-train_loss.png"
    assert images.read(path).shape[1] == 1000


def test_many_variants_share_pictures_by_their_first_axis():
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    asked = study(axes={"model": {"a": {}, "b": {"momentum": 0.5}}, "learning_rate": rates})
    found = dict(curves.groups(variants(asked)))
    assert list(found) == ["-a", "-b"]
    assert [len(names) for names in found.values()] == [5, 5]


def test_no_picture_has_more_lines_than_can_be_told_apart():
    rates = [number / 100 for number in range(1, 20)]
    for axes in ({"learning_rate": rates}, {"flips": [True, False], "learning_rate": rates}):
        every = variants(study(axes=axes))
        found = dict(curves.groups(every))
        assert max(map(len, found.values())) <= curves.MOST_LINES
        assert sorted(name for names in found.values() for name in names) == sorted(
            variant.name for variant in every
        )


def test_nothing_finished_draws_nothing(tmp_path):
    assert curves.write(tmp_path, (FIRST, SECOND), {}) == []
    assert curves.collect(tmp_path, (FIRST, SECOND), []) == {}
