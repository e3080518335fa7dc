import csv
import json
import shutil

import numpy as np
import pytest

from steel_defect_detection import images
from steel_defect_detection.cli import export, predict
from tests.cli.calling import call
from tests.export import toys
from tests.export.once import converting_once


@pytest.fixture(scope="module", autouse=True)
def _each_network_is_converted_once():
    with converting_once():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a cascade and strips."""
    folder = tmp_path_factory.mktemp("place")
    toys.save_cascade(folder)
    toys.strips(folder / "strips")
    return folder


@pytest.fixture(scope="module")
def exported(place):
    """The cascade in TorchScript, which is converted most quickly, and what was said."""
    options = ("--format", "torchscript", "--size", "64x96", "--calibration", place / "strips")
    output = place / "export"
    return output, call(export.main, place / "cascade.safetensors", *options, "--output", output)


@pytest.mark.thorough
def test_an_export_predicts_what_the_checkpoint_predicts(place, exported, tmp_path):
    output, said = exported
    assert "classifier: on 4 images probabilities differ by at most" in said.stdout
    assert "100.0% of the masks are identical" in said.stdout
    assert f"{output} takes images of 96 x 64 pixels" in said.stdout
    assert said.stderr == ""
    tables = {}
    for model in ("cascade.safetensors", "export", "export/classifier.pt"):
        results = tmp_path / model.replace("/", "-")
        runtime = ("--runtime", "pytorch") if model.startswith("cascade") else ()
        call(
            predict.main, place / "strips", "--model", place / model, "--output", results, *runtime
        )
        tables[model] = (results / "predictions.csv").read_bytes()
        run = json.loads((results / "run.json").read_text())
        assert run["model"]["architecture"] == "cascade"
    assert tables["cascade.safetensors"].count(b"\n") > 2
    assert len(set(tables.values())) == 1


def test_an_image_of_another_size_is_an_error_that_names_both(place, exported, tmp_path):
    shutil.copytree(place / "strips", tmp_path / "strips")
    images.write(tmp_path / "strips" / "wide.png", np.zeros((64, 120, 3), dtype=np.uint8))
    arguments = ("--model", exported[0], "--output", tmp_path / "results")
    said = call(predict.main, tmp_path / "strips", *arguments, exit_status=3)
    assert "was exported for images of 96 x 64 pixels, this one has 120 x 64" in said.stderr
    with (tmp_path / "results" / "images.csv").open() as file:
        verdicts = {row["file"]: row["verdict"] for row in csv.DictReader(file)}
    assert {name.rpartition("/")[2] for name, word in verdicts.items() if word == "error"} == {
        "wide.png"
    }


def test_a_missing_sibling_is_one_line_and_status_1(exported, tmp_path):
    folder = shutil.copytree(exported[0], tmp_path / "export")
    (folder / "segmenter.pt").unlink()
    said = call(predict.main, "--model", folder, exit_status=1)
    assert said.stderr.splitlines()[-1].endswith(
        "segmenter.pt is missing, and classifier.pt needs it. Copy the whole folder"
    )


def test_json_tells_what_the_files_tell(place, tmp_path):
    options = ("--format", "torchscript", "--size", "64x96", "--calibration", place / "strips")
    said = call(
        export.main, place / "segmenter.safetensors", *options, "--output", tmp_path / "e", "--json"
    )
    about = json.loads(said.stdout)
    assert about["image_shape"] == [64, 96, 3]
    assert about["comparison"]["segmenter"]["images"] == 4
    assert about["header"]["thresholds"]["min_areas"] == [5, 9]


def test_masks_that_were_compared_without_a_defect_are_remarked(place, tmp_path):
    # Below 5 pixels nothing is outlined.
    toys.strips(tmp_path / "specks", shape=(3, 3))
    options = ("--format", "torchscript", "--size", "2x2", "--calibration", tmp_path / "specks")
    said = call(export.main, place / "segmenter.safetensors", *options, "--output", tmp_path / "e")
    assert "so the masks were compared without a defect" in said.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nothing.pt"], 1, "no model 'nothing.pt'"),
        (
            ["--precision", "int8", "--format", "torchscript"],
            1,
            "torchscript is written in float32",
        ),
        (["--calibration", "nowhere"], 1, "nowhere"),
        (["--size", "256"], 2, "'256' is no HEIGHTxWIDTH, such as 256x1600"),
        (["--size", "0x96"], 2, "'0x96' is no HEIGHTxWIDTH"),
        (["--size", "3000x3000"], 1, "is above 4,000,000 pixels"),
        (["--format", "tensorrt"], 2, "'tensorrt' is not one of"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path, monkeypatch, arguments, status, message):
    monkeypatch.chdir(tmp_path)
    assert message in call(export.main, *arguments, exit_status=status).stderr
    assert list(tmp_path.iterdir()) == []
