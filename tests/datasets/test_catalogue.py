import re
from pathlib import Path, PurePosixPath

import pytest

from steel_defect_detection.datasets.catalogue import SOURCES

NAMES = (
    "severstal",
    "crackforest",
    "neu-seg",
    "neu-cls",
    "tig-ss304",
    "magnetic-tile",
    "kolektor-sdd",
    "kolektor-sdd2",
)


def test_the_public_data_sets_of_the_field_are_there():
    assert tuple(SOURCES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_all_that_its_user_must_know(name):
    source = SOURCES[name]
    assert source.name == name
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)
    assert all((source.title, source.licence, source.citation, source.markers))
    assert source.page.startswith("https://")


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_one_source(name):
    source = SOURCES[name]
    assert bool(source.address) != bool(source.kaggle)
    assert source.address.startswith("https://") or not source.address
    assert re.fullmatch(r"([\w-]+/)?[\w-]+", source.kaggle) or not source.kaggle


@pytest.mark.parametrize("name", NAMES)
def test_markers_are_paths_below_the_folder(name):
    for marker in SOURCES[name].markers:
        path = PurePosixPath(marker)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert str(path) == marker


def test_only_competitions_need_an_account():
    assert [source.name for source in SOURCES.values() if source.account] == ["severstal"]


def test_the_restrictions_on_commercial_use_are_said():
    for name in ("crackforest", "kolektor-sdd", "kolektor-sdd2"):
        assert re.search("non-commercial|not for commercial use", SOURCES[name].licence)


def test_the_how_to_page_names_what_each_folder_must_hold():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "download-data.md"
    rows = page.read_text(encoding="utf-8").splitlines()
    for source in SOURCES.values():
        (row,) = (row for row in rows if row.startswith(f"| `data/{source.name}` |"))
        assert re.findall(r"`([^`]+?)/?`", row.split("|")[2]) == list(source.markers)
        assert any(
            row.startswith(f"| `{source.name}` |") and source.licence.split(" (")[0] in row
            for row in rows
        )


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["severstal", "crackforest", "neu-seg", "magnetic-tile"])
def test_the_markers_are_in_the_real_data(real_data, name):
    folder = real_data / name.replace("-", "_")
    assert all((folder / marker).exists() for marker in SOURCES[name].markers)


@pytest.mark.real_data
def test_the_weld_data_have_their_marker(real_data):
    assert all((real_data / "tig_ss304" / m).exists() for m in SOURCES["tig-ss304"].markers)
