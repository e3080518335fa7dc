import pytest

from steel_defect_detection.benchmark.run import run
from steel_defect_detection.benchmark.settings import Settings
from steel_defect_detection.errors import ConfigError


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


def test_what_cannot_be_measured_here_is_left_out_and_said(found):
    assert "needs a CUDA device" in found["left_out"]["cascade pytorch float16"]


def test_an_engine_that_nobody_knows_is_refused():
    with pytest.raises(ConfigError, match=r"runtime must be one of pytorch, .*, got 'caffe'"):
        run(Settings(runtimes=("caffe",)))
