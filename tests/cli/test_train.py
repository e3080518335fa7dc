import csv
import json
from functools import partial

import numpy as np
import pytest

from steel_defect_detection import checkpoints, images, load_predictor
from steel_defect_detection.cli import predict
from steel_defect_detection.cli.train import main
from steel_defect_detection.training import presets
from steel_defect_detection.training.config import TrainConfig
from tests.cli.calling import call

SMALL = [
    "--encoder",
    "efficientnet-b0",
    "--crop-size",
    "64,64",
    "--epochs",
    "1",
    "--workers",
    "0",
    "--no-pictures",
]


run = partial(call, main)


@pytest.mark.parametrize("name", sorted(set(TrainConfig.model_fields) - {"description"}))
def test_every_setting_is_an_option_with_help(name):
    (option,) = [option for option in main.params if option.name == name]
    assert f"--{name.replace('_', '-')}" in option.opts
    assert option.help == TrainConfig.model_fields[name].description


def test_a_preset_is_trained_into_a_checkpoint_that_is_printed(tiny_severstal, tmp_path):
    folder = tmp_path / "run"
    result = run("strip-linknet", "--data", tiny_severstal, "--output", folder, *SMALL)
    assert result.stdout.strip() == str(folder / "model.safetensors")
    assert checkpoints.load(folder).header.architecture == "segmenter"
    assert "epoch 1/1: train_loss" in result.stderr
    assert json.loads((folder / "config.json").read_text())["crop_size"] == [64, 64]


def test_options_that_are_not_given_keep_the_presets_value():
    printed = json.loads(run("strip-unet", "--print-config", "--epochs", "3").stdout)
    preset = presets.load("strip-unet").model_dump(mode="json")
    assert printed == preset | {"epochs": 3}


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--no-flips"], "flips", False),
        (["--crop-size", "none"], "crop_size", None),
        (["--crop-size", "128x256"], "crop_size", [128, 256]),
        (["--class-weights", "none"], "class_weights", []),
        (["--class-weights", "1,2,3,4"], "class_weights", [1, 2, 3, 4]),
        (["--channels", "3"], "channels", 3),
        (["--dropout", "0.5"], "dropout", 0.5),
        (["--dropout", "none"], "dropout", None),
    ],
)
def test_options_reach_the_settings(arguments, field, value):
    assert json.loads(run("strip-unet", "--print-config", *arguments).stdout)[field] == value


def test_the_presets_are_listed():
    listed = run("--list").stdout
    assert all(name in listed for name in presets.names())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["strip-linnet", "--data", "x"], "Did you mean 'strip-linknet'?"),
        (["stripp", "--data", "x"], "sdd-train: 'stripp' is neither a preset nor a readable"),
        (["strip-linknet", "--data", "x", "--epochs", "0"], "epochs should be greater than"),
        (["strip-linknet", "--data", "x"], "there is no folder 'x'"),
        (["strip-linknet", "--data", "x", "--resume"], "resume: there is no run in runs/strip-lin"),
        (
            ["strip-linknet", "--data", "x", "--resume", "--runs", "2"],
            "there is no run in runs/strip-linknet/run-1. Leave --resume out to begin one",
        ),
    ],
)
def test_a_bad_setting_is_one_line_and_status_1(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, exit_status=1)
    assert result.stderr.startswith("sdd-train: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_only_the_first_of_several_processes_says_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RANK", "1")
    result = run("strip-linknet", "--data", "x", "--epochs", "0")
    assert (result.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["strip"],
        ["strip", "--data", "x", "--resume", "--overwrite"],
        ["strip", "--crop-size", "wide"],
    ],
)
def test_wrong_usage_has_status_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(*arguments, exit_status=2)


def test_a_finished_run_says_so(tiny_severstal, tmp_path):
    arguments = ["strip-linknet", "--data", tiny_severstal, "--output", tmp_path / "run", *SMALL]
    run(*arguments)
    again = run(*arguments)
    assert "held this run, finished" in again.stderr
    assert "epoch" not in again.stderr
    refused = run(*arguments, "--seed", "5", exit_status=1)
    assert refused.stderr.count("\n") == 1
    assert "holds a run with other settings" in refused.stderr
    assert "epoch 1/1" in run(*arguments, "--overwrite").stderr


def test_going_on_and_beginning_anew_exclude_each_other(tiny_severstal, tmp_path):
    arguments = ["strip-linknet", "--data", tiny_severstal, "--output", tmp_path / "run", *SMALL]
    run(*arguments)
    before = (tmp_path / "run/model.safetensors").stat().st_mtime_ns
    refused = run(*arguments, "--resume", "--overwrite", exit_status=2)
    assert "--overwrite begins anew: leave one of them out" in refused.stderr
    assert "held this run, finished" in run(*arguments, "--resume").stderr
    assert (tmp_path / "run/model.safetensors").stat().st_mtime_ns == before


def test_several_runs_print_mean_and_deviation(tiny_severstal, tmp_path):
    folder = tmp_path / "runs"
    arguments = ["strip-gate", "--data", tiny_severstal, "--output", folder, *SMALL[:2], *SMALL[4:]]
    result = run(*arguments, "--runs", "2")
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("validation_loss:")]
    stored = json.loads((folder / "runs.json").read_text())["measures"]["validation_loss"]
    assert line == f"validation_loss: {stored['mean']:.4f} ± {stored['std']:.4f}"
    assert "2 runs" in result.stderr


@pytest.fixture(scope="module")
def distances(tmp_path_factory):
    """A model with a distance head, trained by the command, and its images in ``data``."""
    folder = tmp_path_factory.mktemp("distances")
    random = np.random.default_rng(0)
    for name, level in (("good", 40), ("scratched", 200)):
        for number in range(8):
            picture = random.integers(level - 20, level + 20, (40, 50, 1), dtype=np.uint8)
            images.write(folder / "data" / name / f"{number}.png", picture)
    small = ["--size", "64,64", "--epochs", "1", "--workers", "0", "--no-pictures"]
    # Pictures as alike as these have steep gradients.
    small += ["--batch-size", "4", "--embedding-size", "16", "--gradient-clip", "1"]
    data = ["--data", folder / "data", "--output", folder / "run"]
    run("prints-duq-shufflenet-v2", *small, *data)
    return (folder / "run/model.safetensors").rename(folder / "moved.safetensors")


def test_a_distance_head_tells_its_certainty_wherever_the_model_file_goes(distances, tmp_path):
    good = distances.parent / "data/good"
    prediction = load_predictor(distances, runtime="pytorch").predict(good / "0.png")
    assert prediction.certainty == pytest.approx(prediction.scores.max())
    assert 0 <= prediction.certainty <= 1
    words = ["--model", distances, "--runtime", "pytorch", "--output", tmp_path / "found"]
    call(predict.main, good, *words)
    with (tmp_path / "found/images.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 8
    assert all(0 <= float(row["certainty"]) <= 1 for row in table)
    assert float(table[0]["certainty"]) == pytest.approx(prediction.certainty, abs=1e-3)


def test_images_that_a_distance_head_does_not_know_are_counted(distances, tmp_path):
    checkpoint = checkpoints.load(distances)
    sums = checkpoint.tensors["fc.embedding_sums"] + np.array([0.0, 1e4])
    # So far away that the good class is the nearest, and no image is certainly good.
    tensors = {**checkpoint.tensors, "fc.embedding_sums": sums.astype(np.float32)}
    checkpoints.save(tmp_path / "far.safetensors", checkpoint.header, tensors)
    words = ["--model", tmp_path / "far.safetensors", "--threshold", "1", "--runtime", "pytorch"]
    result = call(predict.main, distances.parent / "data", *words, "--output", tmp_path / "found")
    assert result.stdout.startswith("16 images: 16 unfamiliar. Results are in")
