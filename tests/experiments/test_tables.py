"""Tables of runs and of variants, against numbers worked out by hand."""

import csv

import pytest

from steel_defect_detection.experiments import tables
from steel_defect_detection.experiments.grid import variants
from tests.experiments.small_studies import record, study

FIRST, SECOND = variants(study())
NAME = "classes.accuracy"
# Means .6 and .7; the second is better by .1, .05 and .15 in runs 1 to 3.
RECORDS = [
    *(
        record(FIRST.name, run, classes__accuracy=value)
        for run, value in enumerate((0.5, 0.7, 0.6), 1)
    ),
    *(
        record(SECOND.name, run, classes__accuracy=value)
        for run, value in enumerate((0.6, 0.75, 0.75), 1)
    ),
]


def rows(records, failures=None):
    return tables.rows((FIRST, SECOND), records, failures or {}, (NAME,))


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_means_and_differences_are_those_worked_out_by_hand(tmp_path):
    first, second = rows(RECORDS)
    assert (first.runs, second.runs) == (3, 3)
    assert first.means[NAME].mean == pytest.approx(0.6)
    assert first.means[NAME].std == pytest.approx(0.1)
    assert first.differences == {}
    difference = second.differences[NAME]
    assert difference.mean == pytest.approx(0.1)
    assert difference.std == pytest.approx(0.05)
    # t of 2 degrees of freedom is 4.303 in every table: .1 +- 4.303 * .05 / sqrt(3)
    assert difference.low == pytest.approx(0.1 - 0.1242, abs=1e-4)
    assert difference.high == pytest.approx(0.1 + 0.1242, abs=1e-4)


def test_only_runs_of_the_same_number_are_compared():
    missing = [one for one in RECORDS if (one.variant, one.run) != (FIRST.name, 1)]
    second = rows(missing)[1]
    assert second.runs == 3
    assert second.differences[NAME].count == 2
    assert second.differences[NAME].mean == pytest.approx(0.1)


def test_one_run_has_no_interval(tmp_path):
    found = rows([one for one in RECORDS if one.run == 1])
    tables.write_table(tmp_path / "table.csv", found, (NAME,))
    first, second = read(tmp_path / "table.csv")
    assert second[f"{NAME}.mean"] == "0.6"
    assert float(second[f"{NAME}.difference"]) == pytest.approx(0.1)
    for end in ("std", "low", "high", "difference_std", "difference_low", "difference_high"):
        assert second[f"{NAME}.{end}"] == ""
    assert first[f"{NAME}.difference"] == ""
    assert "±" not in "".join(
        line for line in tables.markdown("t", [], found, {NAME: None}) if "0.5" in line
    )


def test_a_row_of_the_table_says_which_values_it_has(tmp_path):
    tables.write_table(tmp_path / "table.csv", rows(RECORDS), (NAME,))
    written = read(tmp_path / "table.csv")
    assert [row["learning_rate"] for row in written] == ["0.001", "0.01"]
    assert [row["runs"] for row in written] == ["3", "3"]


def test_all_runs_are_written_with_all_measures_and_failures_with_their_reason(tmp_path):
    failures = {(FIRST.name, 4): "the loss is not finite"}
    tables.write_runs(tmp_path / "runs.csv", (FIRST, SECOND), RECORDS, failures)
    written = read(tmp_path / "runs.csv")
    assert [(row["variant"], row["run"]) for row in written] == [
        (FIRST.name, "1"),
        (FIRST.name, "2"),
        (FIRST.name, "3"),
        (FIRST.name, "4"),
        *((SECOND.name, str(run)) for run in (1, 2, 3)),
    ]
    assert written[0][NAME] == "0.5"
    assert written[0]["seed"] == "0"
    assert (written[3]["error"], written[3][NAME]) == ("the loss is not finite", "")


def test_people_read_means_with_intervals_and_differences():
    lines = list(tables.markdown("rates", ["Measured on 3 images."], rows(RECORDS), {NAME: 0.25}))
    text = "\n".join(lines)
    assert lines[0] == "# rates"
    assert "Measured on 3 images." in text
    assert "Without a model, by the commonest answer: 0.2500." in text
    assert "| learning_rate=0.001 | 3 | 0.6000 ± 0.1000 | 0.3516 to 0.8484 |  |  |" in text
    assert "| +0.1000 | -0.0242 to +0.2242 |" in text


def test_a_variant_without_a_run_is_in_the_table():
    failures = {(SECOND.name, 1): "broken"}
    found = rows([record(FIRST.name, 1, classes__accuracy=0.5)], failures)
    assert (found[1].runs, found[1].failed) == (0, 1)
    lines = list(tables.markdown("t", [], found, {NAME: None}))
    assert f"| {SECOND.name} | 0 | – | – | – | – |" in lines
