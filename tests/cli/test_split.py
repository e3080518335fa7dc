import json
import shutil
from functools import partial

import pytest

from steel_defect_detection.cli.split import main
from tests.cli.calling import call

# The drawn sheets show the same square, so they are alike by their pictures.
BY_NAME = ("--groups", "given")


run = partial(call, main)


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
    result = run(tiny_severstal, "--output", output, "--overwrite", exit_status=1)
    assert "is no split.csv, and stays as it is" in result.stderr
    assert output.read_text() == "mine"
    output.write_text("image,split,fold,group\n")
    run(tiny_severstal, "--output", output, "--overwrite")
    assert len(output.read_text().splitlines()) > 1


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
        (["--folds", "2", "--shares", "train=1"], 2, "--folds are of equal size"),
        (["--shares", "train=nan"], 1, "shares must be positive and add up to 1"),
        (["--folds", "9"], 1, "fold count must lie between 2 and 8 groups, got 9"),
        (["--check", "published"], 1, "comes without published parts"),
        (["--check", "nowhere.csv"], 1, "'nowhere.csv' is no split.csv"),
        (["--check", "sets"], 1, "compares several data sets, got 1"),
    ],
)
def test_what_cannot_be_is_one_line(tiny_severstal, tmp_path, arguments, status, said):
    result = run(
        tiny_severstal, *BY_NAME, "--output", tmp_path / "s.csv", *arguments, exit_status=status
    )
    assert said in result.stderr
    assert not (tmp_path / "s.csv").exists()


def test_an_image_that_cannot_be_read_is_named_and_the_status_is_3(tiny_severstal, tmp_path):
    (tiny_severstal / "train_images/sheet-2.png").write_bytes(b"no picture")
    output = tmp_path / "split.csv"
    result = run(
        tiny_severstal,
        "--groups",
        "pictures",
        "--output",
        output,
        "--shares",
        "train=0.5,validation=0.5",
        exit_status=3,
    )
    assert "sheet-2.png" in result.stderr
    assert "sheet-2.png" not in output.read_text()
    assert result.stdout.startswith("7 images in ")


def test_parts_that_training_does_not_know_are_remarked_on(tiny_severstal, tmp_path):
    words = (tiny_severstal, *BY_NAME, "--overwrite", "--output", tmp_path / "split.csv")
    remark = "sdd-train looks for parts that are called train and validation"
    assert remark in run(*words, "--shares", "train=0.5,val=0.5").stderr
    assert remark not in run(*words, "--shares", "train=0.5,validation=0.5").stderr
    assert remark not in run(*words, "--folds", "2").stderr


def test_classes_that_a_part_does_not_show_are_remarked_on(tiny_severstal, tmp_path):
    words = (tiny_severstal, *BY_NAME, "--output", tmp_path / "split.csv", "--folds", "8")
    result = run(*words)
    assert result.stderr.count("shows no defect_3: there are too few groups") == 4


def test_folders_of_the_same_name_are_compared_and_one_folder_is_not(tiny_severstal, tmp_path):
    copy = shutil.copytree(tiny_severstal, tmp_path / "elsewhere" / tiny_severstal.name)
    words = ("--check", "sets", "--groups", "pictures", "--json")
    report = json.loads(run(tiny_severstal, copy, *words, exit_status=1).stdout)
    assert report["images"] == {str(tiny_severstal.resolve()): 8, str(copy.resolve()): 8}
    assert [len(leak["images"]) for leak in report["leaks"]] == [8, 8]
    result = run(copy, copy, *words, exit_status=2)
    assert "a data set is named twice" in result.stderr


def test_several_data_sets_need_a_check(tiny_severstal):
    result = run(tiny_severstal, tiny_severstal, exit_status=2)
    assert "several are compared with --check sets" in result.stderr


def test_groups_that_the_file_names_are_checked_too(tiny_severstal, tmp_path):
    path = tmp_path / "split.csv"
    rows = ["sheet-0.png,train,,7", "sheet-1.png,validation,,7", "sheet-2.png,validation,,8"]
    path.write_text("\n".join(["image,split,fold,group", *rows]))
    result = run(tiny_severstal, "--check", path, "--groups", "given", exit_status=1)
    assert "leak: 1 of train stand in validation too: sheet-0.png like sheet-1.png" in result.stdout
    assert "no leaks" in run(tiny_severstal, "--check", path, "--groups", "none").stdout
