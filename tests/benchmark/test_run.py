import json

import pytest

from steel_defect_detection import images
from steel_defect_detection.benchmark import report
from steel_defect_detection.benchmark.run import run
from steel_defect_detection.benchmark.settings import Settings
from steel_defect_detection.errors import ConfigError

TINY = {
    "count": 8,
    "each": 2,
    "repeats": 1,
    "size": (64, 96),
    "runtimes": ("pytorch",),
    "precisions": ("float32", "float16"),
    "reference_images": 2,
    "mixes": ("clean",),
    "side": 64,
    "starts": 0,
}


@pytest.fixture(scope="module")
def found(cascade, strips):
    return run(Settings(model=str(cascade), images=strips, **TINY))


def test_all_topologies_and_the_reference_are_measured(found):
    assert [(row["topology"], row["network"]) for row in found["networks"]] == [
        ("cascade", "gate"),
        ("cascade", "segmenter"),
        ("two_head", "two_head"),
        ("shared_backbone", "encoder_gate"),
        ("shared_backbone", "decoder"),
    ]
    assert [row["network"] for row in found["reference"]] == ["gate"]
    for row in [*found["networks"], *found["reference"]]:
        assert row["share_of_peak"] > 0
    race = found["race"]["clean"]
    assert (race["ours"]["files"], race["reference"]["files"]) == (8, 2)
    assert race["ours"]["fired_share"] == 0
    assert race["times_as_fast"]["ratio"] > 0
    assert {row["files"] for row in found["end_to_end"]} == {2}


def test_three_files_are_written_and_the_numbers_are_all_finite(found, tmp_path):
    paths = report.write(found, tmp_path / "out")
    assert [path.name for path in paths] == ["benchmark.json", "benchmark.md", "benchmark.png"]
    assert json.loads(paths[0].read_text(encoding="utf-8")) == found
    assert images.read(paths[2]).shape[1] == 1000


def test_tables_have_as_many_cells_in_each_row(found):
    assert [table.title for table in report.tables(found)][:4] == [
        "From files on disk to results on disk",
        "Stages of one image",
        "Networks alone",
        "Every configuration, from files on disk to results on disk",
    ]
    for table in report.tables(found):
        assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"mixes": ("all",)}, "mixes must be among clean, half, got 'all'"),
        ({"mixes": ()}, "mixes must be among clean, half, got none"),
        ({"count": 1}, "count must be at least 2, got 1"),
        ({"size": (50, 64)}, "the reference way takes sizes that 32 divides, got (50, 64)"),
    ],
)
def test_impossible_settings_are_refused(wrong, text):
    with pytest.raises(ConfigError) as error:
        Settings(**wrong)
    assert str(error.value) == text


def test_what_cannot_be_measured_here_is_left_out_and_said(found):
    assert "needs a CUDA device" in found["left_out"]["cascade pytorch float16"]
    assert "needs a CUDA device" in report.markdown(found)


def test_an_engine_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match=r"runtime must be one of pytorch, .*, got 'caffe'"):
        run(Settings(runtimes=("caffe",)))
