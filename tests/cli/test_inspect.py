import json
from functools import partial

import pytest

from steel_defect_detection.cli.inspect import main
from tests.cli.calling import call

run = partial(call, main)


def test_the_table_goes_to_standard_output_and_nothing_else_does(tiny_severstal):
    result = run(tiny_severstal)
    assert result.stdout.startswith("images: 8 (4 defective, 4 clean), classes: 4\n")
    assert result.stderr == ""


def test_json_says_the_same_on_standard_output_and_in_the_folder(tiny_severstal, tmp_path):
    result = run(tiny_severstal, "--json", "--output", tmp_path / "out")
    assert json.loads(result.stdout) == json.loads((tmp_path / "out/inspection.json").read_text())
    assert "inspection.json, distribution.png, positions.png, examples.png are in" in result.stderr


def test_images_that_cannot_be_read_are_named_and_the_status_is_3(tiny_severstal):
    (tiny_severstal / "train_images/sheet-0.png").write_bytes(b"no picture")
    (tiny_severstal / "train_images/sheet-1.png").write_bytes(b"")
    result = run(tiny_severstal, exit_status=3)
    assert "sheet-0.png" in result.stderr
    assert "sheet-1.png" in result.stderr
    assert "images with problems, not counted below: 2" in result.stdout


def test_of_many_problems_the_first_twenty_are_printed(tmp_path):
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(15):
            (tmp_path / "data" / name / f"{number}.png").write_bytes(b"no picture")
    result = run(tmp_path / "data", "--output", tmp_path / "out", exit_status=3)
    assert len(result.stderr.splitlines()) == 20 + 1 + 1
    assert "sdd-inspect: and 10 more images with problems\n" in result.stderr
    assert len(json.loads((tmp_path / "out/inspection.json").read_text())["problems"]) == 30


def test_a_mask_of_another_size_is_named(tiny_severstal):
    table = tiny_severstal / "train.csv"
    table.write_text(table.read_text() + "sheet-0.png,1,6144 2\n")
    result = run(tiny_severstal, exit_status=3)
    assert "run 6144 2 ends at pixel 6145, but a 64 x 96 mask has 6144 pixels" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing"], "sdd-inspect: there is no folder 'missing'"),
        (["empty"], "sdd-inspect: 'empty' looks like no data set"),
        (["severstal", "--layout", "kaggle"], "sdd-inspect: there is no layout 'kaggle'"),
        (["severstal", "--output", "file/x"], "sdd-inspect: file/x cannot be written: "),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(
    tiny_severstal, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    result = run(*words, exit_status=1)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
