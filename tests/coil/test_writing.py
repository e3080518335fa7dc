import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from steel_defect_detection import coil
from steel_defect_detection.coil import writing
from steel_defect_detection.errors import ResultsError
from tests.coil import built


@pytest.fixture(scope="module")
def report():
    places = [(500 + 1000 * turn, 50, 1) for turn in range(24)]
    return coil.examine(built.coil([*places, (70_300, 190, 2)], mm_per_pixel=0.5))


@pytest.fixture(scope="module")
def folder(report, tmp_path_factory):
    output = tmp_path_factory.mktemp("written") / "coil"
    coil.write(report, output)
    return output


def test_all_files_are_there_and_no_others(folder):
    assert {path.name for path in folder.iterdir()} == set(writing.NAMES)


def test_each_defect_is_a_row(folder):
    table = pd.read_csv(folder / "defects.csv")
    assert len(table) == 25
    assert table.iloc[0].to_dict() == {
        "defect": 1,
        "image": "0000.png",
        "class": "pits",
        "along_mm": 250,
        "across_mm": 25,
        "length_mm": 5,
        "width_mm": 5,
        "area_pixels": 100,
        "recurrence": 1,
    }
    assert table["recurrence"].isna().tolist() == [False] * 24 + [True]


def test_each_mark_is_a_row(folder):
    (row,) = pd.read_csv(folder / "recurrences.csv").to_dict("records")
    assert (row["period_mm"], row["members"], row["class"]) == (500, 24, "pits")
    assert row["roll_diameter_mm"] == pytest.approx(159.155)


def test_metres_and_zones_have_a_row_per_class(folder):
    metres = pd.read_csv(folder / "metres.csv")
    assert len(metres) == 50 * 2
    assert metres["count"].sum() == 25
    assert list(metres.columns)[:2] == ["from_mm", "to_mm"]
    zones = pd.read_csv(folder / "zones.csv")
    assert len(zones) == 10 * 2
    assert zones["area_pixels"].sum() == 2500


def test_json_holds_the_facts(folder, report):
    assert json.loads((folder / "coil.json").read_text()) == report.facts()


def test_the_same_coil_gives_the_same_bytes(folder, report, tmp_path):
    coil.write(report, tmp_path)
    for name in writing.NAMES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_place_that_cannot_be_written_is_named(report, tmp_path):
    (tmp_path / "coil").write_text("a file")
    with pytest.raises(ResultsError, match=re.escape(f"{tmp_path / 'coil'}")):
        coil.write(report, tmp_path / "coil")


@pytest.mark.parametrize("text", ["[]", "{", '{"unit": "mm"}'])
def test_a_folder_with_files_of_somebody_else_is_refused(folder, tmp_path, text):
    writing.refuse_foreign(folder)
    writing.refuse_foreign(tmp_path)
    (tmp_path / "coil.json").write_text(text)
    with pytest.raises(ResultsError, match=r"coil\.json is there already, and not from a coil"):
        writing.refuse_foreign(tmp_path)


def test_tables_and_json_keep_names_and_pages_make_them_visible(tmp_path):
    image, name = "gnp.\u202eexe", "pi\u2066ts"
    one = built.coil([(500 + 1000 * turn, 50, 1) for turn in range(24)], unread=[90])
    images = (image, *one.images[1:90], image, *one.images[91:])
    coil.write(coil.examine(replace(one, images=images, classes=(name, "x"))), tmp_path)
    table = pd.read_csv(tmp_path / "defects.csv")
    assert (table.iloc[0]["image"], table.iloc[0]["class"]) == (image, name)
    for kind in ("recurrences", "metres", "zones"):
        assert pd.read_csv(tmp_path / f"{kind}.csv").iloc[0]["class"] == name
    facts = json.loads((tmp_path / "coil.json").read_text())
    assert (facts["unread"], list(facts["classes"])) == ([image], [name, "x"])
    for shown in ("coil.html", "coil.svg"):
        text = (tmp_path / shown).read_text(encoding="utf-8")
        assert r"gnp.\u202eexe" in text
        assert not {"\u202e", "\u2066"} & set(text)


def test_names_whose_bytes_are_no_text_are_written(tmp_path):
    one = built.coil([(500, 50, 1)])
    coil.write(coil.examine(replace(one, images=("\udcff.png", *one.images[1:]))), tmp_path)
    for name in ("coil.html", "coil.svg", "defects.csv"):
        assert r"\udcff.png" in (tmp_path / name).read_text(encoding="utf-8")
