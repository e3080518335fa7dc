import json
from functools import partial

from steel_defect_detection import images
from steel_defect_detection.cli.info import main
from tests.cli.calling import call

run = partial(call, main)


def test_the_built_in_model_says_what_it_is():
    said = run().stdout
    for word in ("strip (cascade", "defect_1", "classifier: efficientnet-b0", "learned from 26"):
        assert word in said


def test_the_whole_header_is_json():
    header = json.loads(run("strip", "--json").stdout)
    assert header["architecture"] == "cascade"
    assert header["card"]["name"] == "strip"


def test_a_model_that_is_not_there_is_one_line():
    result = run("nowhere.safetensors", exit_status=1)
    assert result.stderr.startswith("sdd-info: no model 'nowhere.safetensors'")
    assert result.stderr.count("\n") == 1


def test_the_architecture_is_drawn(tmp_path):
    run("strip", "--graph", tmp_path / "graph.png")
    assert images.read(tmp_path / "graph.png").shape[2] == 3
