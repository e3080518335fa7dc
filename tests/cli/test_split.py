import json

import pytest
from click.testing import CliRunner

from steel_defect_detection.cli.split import main

# The drawn sheets show the same square, so they are alike by their pictures.
BY_NAME = ("--groups", "given")


def run(*arguments, exit_status: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_status, result.stderr
    return result


def test_a_split_is_written_and_summed_up(tiny_severstal, tmp_path):
    output = tmp_path / "split.csv"
    result = run(tiny_severstal, *BY_NAME, "--shares", "train=0.5,test=0.5", "--output", output)
    assert "8 images in 8 groups\n" in result.stdout
    assert "test: 4 images (defect_3 2)\ntrain: 4 images (defect_3 2)\nno leaks" in result.stdout
    assert output.read_text().startswith("image,split,fold,group\n")
    assert "sdd-split: the split is in" in result.stderr


def test_a_split_that_is_there_is_kept(tiny_severstal, tmp_path):
    output = tmp_path / "split.csv"
    output.write_text("mine")
    result = run(tiny_severstal, "--output", output, exit_status=1)
    assert "is there already: choose another --output, or add --overwrite" in result.stderr
    assert output.read_text() == "mine"
    run(tiny_severstal, "--output", output, "--overwrite")
    assert output.read_text() != "mine"


def test_checking_writes_nothing(tiny_severstal, tmp_path):
    output = tmp_path / "split.csv"
    run(tiny_severstal, *BY_NAME, "--folds", "4", "--output", output)
    before = sorted(tmp_path.iterdir())
    report = json.loads(run(tiny_severstal, *BY_NAME, "--check", output, "--json").stdout)
    assert report["images"] == {f"fold {number}": 2 for number in range(4)}
    assert report["leaks"] == []
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--shares", "train=0.5"], 1, "shares must be positive and add up to 1"),
        (["--shares", "train"], 2, "is no list like train=0.8,validation=0.2"),
        (["--shares", "a=0.5,a=0.5"], 2, "names a part twice or not at all"),
        (["--folds", "9"], 1, "fold count must lie between 2 and 8 groups, got 9"),
        (["--check", "published"], 1, "comes without published parts"),
        (["--check", "nowhere.csv"], 1, "no split manifest in 'nowhere.csv'"),
        (["--check", "sets"], 1, "compares several data sets, got 1"),
    ],
)
def test_what_cannot_be_is_one_line(tiny_severstal, tmp_path, arguments, status, said):
    result = run(
        tiny_severstal, *BY_NAME, "--output", tmp_path / "s.csv", *arguments, exit_status=status
    )
    assert said in result.stderr
    assert not (tmp_path / "s.csv").exists()


def test_several_data_sets_need_a_check(tiny_severstal):
    result = run(tiny_severstal, tiny_severstal, exit_status=2)
    assert "several are compared with --check sets" in result.stderr
