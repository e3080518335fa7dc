import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from steel_defect_detection import images
from steel_defect_detection.cli.evaluate import main
from steel_defect_detection.cli.predict import main as predict
from steel_defect_detection.datasets import severstal


def run(*arguments, exit_status: int = 0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == exit_status, result.stderr
    return result


@pytest.fixture
def perfect(tiny_severstal, tmp_path):
    """Results that say exactly what is true."""
    for sample in severstal.read(tiny_severstal):
        label_map = (sample.masks[2] * 3).astype(np.uint8)
        images.write(tmp_path / "theirs/masks" / sample.name, label_map)
    return tmp_path / "theirs"


def test_a_model_is_measured_beside_its_baselines(tiny_severstal, tmp_path):
    result = run("strip", tiny_severstal, "--output", tmp_path / "out")
    for name in ("dice_kaggle: ", "dice_all_empty: 0.8750", "accuracy_majority: 0.5000"):
        assert name in result.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json",
        "images.csv",
        "confusion.png",
    }
    with (tmp_path / "out/images.csv").open(newline="") as file:
        dice = [float(row["dice"]) for row in csv.DictReader(file)]
    assert dice == sorted(dice)
    assert len(dice) == 8


def test_anybodys_masks_are_scored_without_a_model(tiny_severstal, perfect):
    measures = json.loads(run(perfect, tiny_severstal, "--results", "--json").stdout)["measures"]
    assert (measures["dice_kaggle"], measures["dice_on_defects"], measures["accuracy"]) == (1, 1, 1)


def test_results_of_this_package_are_found_by_their_table(tiny_severstal, tmp_path):
    output = tmp_path / "outputs"
    arguments = [str(tiny_severstal / "train_images"), "--output", str(output), "--no-overlays"]
    assert CliRunner().invoke(predict, arguments).exit_code == 0
    stored = json.loads(run(output, tiny_severstal, "--results", "--json").stdout)["measures"]
    asked = json.loads(run("strip", tiny_severstal, "--json").stdout)["measures"]
    assert stored["dice_kaggle"] == asked["dice_kaggle"]
    assert stored["accuracy"] == asked["accuracy"]


def test_a_mask_that_is_missing_is_named(tiny_severstal, perfect):
    (perfect / "masks/sheet-3.png").unlink()
    result = run(perfect, tiny_severstal, "--results", exit_status=1)
    assert "the results hold no mask for sheet-3.png" in result.stderr


def test_thresholds_are_tried_class_by_class(tiny_severstal):
    lines = run("strip", tiny_severstal, "--sweep").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "defect_1",
        "defect_2",
        "defect_3",
        "defect_4",
    ]
    assert "0.5000 if nothing is outlined" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--store"], 2, "--store needs --sweep"),
        (["--sweep", "--store"], 1, "comes with the package"),
        (["--split", "nowhere.csv"], 1, "no split manifest in"),
    ],
)
def test_what_cannot_be_is_one_line(tiny_severstal, arguments, status, said):
    assert said in run("strip", tiny_severstal, *arguments, exit_status=status).stderr
