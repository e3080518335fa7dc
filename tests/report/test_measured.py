import json

import pytest

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import measured
from steel_defect_detection.report.blocks import Gallery, Table
from tests.report import folders_of


def parts(section):
    return {part.title: part for part in section.parts}


def tables(part):
    return [block for block in part.blocks if isinstance(block, Table)]


def test_an_evaluation_is_told_with_what_its_measures_mean(tmp_path):
    found = parts(measured.section(folders_of.evaluation(tmp_path / "e"), worst=24))
    (table,) = tables(found["Defect or clean"])
    assert table.rows == [
        ["images", "3", ""],
        ["accuracy", "0.6667", "Share of images rightly called."],
    ]
    _, by_class = tables(found["Outlines"])
    assert by_class.rows == [["scratch", "0.25"]]
    (worst,) = tables(found["Worst images"])
    assert worst.rows == [["bad.png", "no", "clean", "0.5"]]
    (errors,) = tables(found["Errors"])
    assert errors.rows == [["torn.png", "torn.png is damaged"]]
    (gallery,) = (block for block in found["Pictures"].blocks if isinstance(block, Gallery))
    assert gallery.shown[0].picture.alt.endswith("(confusion.png)")


def test_suspects_and_times_are_told(tmp_path):
    (tmp_path / "suspects.csv").write_text("image,reason,score\na.png,outline not found,0.01\n")
    times = {"images": 4, "milliseconds": {"gate": {"median": 1.5}}}
    (tmp_path / "timing.json").write_text(json.dumps({"times": times}))
    found = parts(measured.section(tmp_path, worst=24))
    (suspects,) = tables(found["Suspicious labels"])
    assert suspects.rows == [["a.png", "outline not found", "0.01"]]
    stages, others = tables(found["Times"])
    assert stages.rows == [["gate", "1.5"]]
    assert others.rows == [["images", "4", ""]]


def test_a_picture_that_is_damaged_is_a_problem_and_the_rest_goes_on(tmp_path):
    folder = folders_of.evaluation(tmp_path / "e")
    (folder / "confusion.png").write_text("no picture")
    section = measured.section(folder, worst=24)
    ((name, problem),) = section.problems
    assert name == str(folder / "confusion.png")
    assert "is not an image" in problem
    assert "Pictures" not in parts(section)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"evaluation\.json cannot be read: .*\. Run sdd-evaluate again"),
        ("[1]", r"evaluation\.json was not written by sdd-evaluate: expected an object, got list"),
    ],
)
def test_a_broken_evaluation_is_told(tmp_path, content, message):
    (tmp_path / "evaluation.json").write_text(content)
    with pytest.raises(ResultsError, match=message):
        measured.section(tmp_path, worst=24)


def test_a_table_that_is_no_text_is_told(tmp_path):
    (tmp_path / "suspects.csv").write_bytes(b"image\n\xff\xfe\n")
    with pytest.raises(ResultsError, match=r"suspects\.csv cannot be read: "):
        measured.section(tmp_path, worst=24)


def test_values_of_unexpected_kinds_do_no_harm(tmp_path):
    odd = {"measures": {"any_defect": [1], "outlines": 5}, "images": [1, {"right": False}]}
    (tmp_path / "evaluation.json").write_text(json.dumps(odd | {"unreadable": "x"}))
    assert list(parts(measured.section(tmp_path, worst=24))) == ["Worst images"]


def test_cells_are_numbers_where_they_are_some(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,0.5,x\n,1e-3,\n")
    rows = measured.read_table(tmp_path / "t.csv")
    assert rows == [{"a": 1, "b": 0.5, "c": "x"}, {"a": None, "b": 0.001, "c": None}]
    table = measured.rows_table("t", rows)
    assert [column.is_number for column in table.columns] == [True, True, False]
