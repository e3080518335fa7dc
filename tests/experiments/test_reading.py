"""Studies that come along, and one's own."""

import json

import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments import grid, reading

PRINTS = ("prints-1", "prints-2", "prints-3", "prints-4", "prints-5")
STRIP = ("strip-encoders", "strip-heads", "strip-inputs")


def test_the_studies_of_both_systems_come_along():
    assert set(reading.names()) == {*PRINTS, *STRIP}


@pytest.mark.parametrize("name", reading.names())
def test_a_study_that_comes_along_has_its_name_and_says_what_differs(name):
    study = reading.load(name)
    assert study.name == name
    assert "Differs:" in study.description
    assert len(grid.variants(study)) > 1


@pytest.mark.parametrize(
    ("name", "count"),
    # As in the source: 2 models x 4 ratios and none, 4 x 4, 4, 7 and 4 networks; a table of five
    # rows, 2 x 2 x 2 factors, three ways.
    [
        ("prints-1", 10),
        ("prints-2", 16),
        ("prints-3", 4),
        ("prints-4", 7),
        ("prints-5", 4),
        ("strip-encoders", 5),
        ("strip-inputs", 8),
        ("strip-heads", 3),
    ],
)
def test_a_study_that_comes_along_has_the_variants_of_its_source(name, count):
    assert len(grid.variants(reading.load(name))) == count


def test_shufflenet_trains_twice_as_long_in_the_second_study():
    epochs = {
        variant.name.partition(",")[0]: variant.stages()[0].epochs
        for variant in grid.variants(reading.load("prints-2"))
    }
    assert epochs["shufflenet-v2"] == 40
    assert epochs["resnet18"] == 20


def test_a_file_has_the_name_of_its_study(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"base": {"preset": "neu-cls"}, "axes": {"flips": [True, False]}}))
    assert reading.load(file).name == "mine"
    assert reading.load(file, runs=5, part=None).runs == 5
    assert reading.load(file, {"epochs": 2}).base == {"preset": "neu-cls", "epochs": 2}


def test_what_a_study_says_is_read_back(tmp_path):
    study = reading.load("strip-heads")
    (tmp_path / "study.json").write_text(study.model_dump_json())
    assert reading.load(tmp_path / "study.json") == study


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no study: expected a JSON object"),
        ('{"axes": {"flips": [true]}, "axes": {"flips": [false]}}', "'axes' occurs twice"),
        ('{"base": {}}', "the setting 'axes' is missing"),
    ],
)
def test_a_file_that_is_no_study_is_refused_by_its_name(tmp_path, text, said):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        reading.load(file)
    assert str(caught.value).startswith(str(file))
    assert said in str(caught.value)


def test_a_study_that_is_not_there_is_guessed():
    with pytest.raises(ConfigError, match="Did you mean 'prints-1'"):
        reading.load("print-1")
