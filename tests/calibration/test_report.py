import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from steel_defect_detection import calibration, images
from steel_defect_detection.calibration import Aim
from steel_defect_detection.calibration.report import COLUMNS, GRID, report, rows, write
from steel_defect_detection.errors import ResultsError
from tests.calibration import toys


@pytest.fixture(scope="module")
def found():
    aim = Aim(false_reject_cost=1, false_accept_cost=3)
    return calibration.calibrate(
        toys.model("independent"), toys.strips(), aim=aim, device="cpu", data="coils"
    )


def test_everything_is_json_without_nan(found):
    read = json.loads(json.dumps(report(found), allow_nan=False))
    assert read["calibration"]["data"] == "coils"
    assert read["calibration"]["aim"].startswith("the least cost, 1 per false reject")
    assert [point["name"] for point in read["operating_points"]] == ["pit", "scratch"]
    assert read["thresholds"]["classes"] == [
        point["threshold"] for point in read["operating_points"]
    ]
    assert read["unreadable"] == []
    assert read["not_chosen"] == {}


def test_unreadable_images_and_what_was_not_chosen_are_named(found):
    other = replace(found, unreadable={"a.png": "broken"}, not_chosen={"pit": "no image shows it"})
    read = report(other)
    assert read["unreadable"] == [{"image": "a.png", "error": "broken"}]
    assert read["not_chosen"] == {"pit": "no image shows it"}


def test_the_table_has_each_threshold_and_the_chosen_ones(found, tmp_path):
    write(found, tmp_path)
    with (tmp_path / "thresholds.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == COLUMNS
    chosen = {row["name"]: row for row in table if row["chosen"] == "yes"}
    assert set(chosen) == {"pit", "scratch"}
    labels = toys.strips().labelled().labels()
    for name, row in chosen.items():
        place = toys.CLASSES.index(name)
        limit = found.checkpoint.header.thresholds.classes[place]
        assert float(row["threshold"]) == pytest.approx(limit, rel=1e-5)
        scores, truth = found.decisions[place].scores, labels[:, place]
        rejects = int(((scores >= limit) & ~truth).sum())
        accepts = int(((scores < limit) & truth).sum())
        assert float(row["cost"]) == pytest.approx((rejects + 3 * accepts) / 24, abs=1e-5)
        assert int(row["good"]) == 16
        assert float(row["overkill"]) == pytest.approx(rejects / 16, abs=1e-5)
        assert float(row["underkill_low"]) <= float(row["underkill"])
        assert float(row["underkill"]) <= float(row["underkill_high"])
    others = [
        float(row["threshold"]) for row in table if row["name"] == "pit" and not row["chosen"]
    ]
    assert others == list(GRID)


def test_without_costs_there_are_none(found):
    assert all(row[-1] == "" for row in rows(replace(found, aim=None)))


def test_where_no_threshold_decides_the_first_row_has_none():
    exclusive = calibration.calibrate(
        toys.model("with good"), toys.truth_for("with good"), device="cpu", kept=None
    )
    first, *others = rows(exclusive)
    assert first[:3] == ["any defect", "", "yes"]
    assert [row[2] for row in others] == [""] * len(GRID)


def test_a_share_of_no_images_is_left_empty(found):
    defective = replace(found.decisions[0], defective=np.ones(24, dtype=np.bool_))
    row = dict(zip(COLUMNS, next(rows(replace(found, decisions=[defective]))), strict=True))
    assert row["good"] == "0"
    assert row["overkill"] == row["overkill_low"] == row["overkill_high"] == ""


def test_pictures_are_written_where_there_is_something_to_show(found, tmp_path):
    names = [path.name for path in write(found, tmp_path)]
    assert names == ["calibration.json", "thresholds.csv", "reliability.png", "thresholds.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert images.read(tmp_path / "reliability.png").shape[1] == 1000
    bare = replace(found, said=[], decisions=[])
    assert len(write(bare, tmp_path / "bare")) == 2


def test_of_images_of_one_kind_the_curves_have_gaps(found, tmp_path):
    one = replace(found.decisions[0], defective=np.zeros(24, dtype=np.bool_))
    assert len(write(replace(found, decisions=[one]), tmp_path)) == 4


def test_a_folder_that_cannot_be_written_is_told(found, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultsError, match=r"calibration\.json cannot be written"):
        write(found, tmp_path / "file")
