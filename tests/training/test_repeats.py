"""Several runs with different seeds."""

import csv
import json
import shutil
import statistics

import numpy as np
import pytest

from steel_defect_detection import checkpoints, images
from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.repeats import train_repeatedly
from steel_defect_detection.training.run import train

GATE = TrainConfig(
    architecture="classifier",
    encoder="mobilenet_v2",
    epochs=2,
    seed=5,
    workers=0,
    precision="float32",
    pictures=False,
)


@pytest.fixture(scope="module")
def repeated(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return folder, train_repeatedly(GATE, data, folder, runs=2)


def column(folder, name) -> list[float]:
    with (folder / "runs.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_mean_and_deviation_are_those_of_the_runs(repeated):
    folder, spreads = repeated
    losses = [
        json.loads((folder / run / "metrics.json").read_text())["validation_loss"]
        for run in ("run-1", "run-2")
    ]
    assert spreads["validation_loss"].mean == pytest.approx(statistics.mean(losses))
    assert spreads["validation_loss"].std == pytest.approx(statistics.stdev(losses))
    assert column(folder, "validation_loss") == losses
    stored = json.loads((folder / "runs.json").read_text())["measures"]
    assert stored["validation_loss"] == spreads["validation_loss"]._asdict()


def test_runs_differ_in_their_seed_and_share_their_split(repeated):
    folder, _ = repeated
    assert column(folder, "seed") == [5, 6]
    first, second = (checkpoints.load(folder / run).tensors for run in ("run-1", "run-2"))
    assert any(not np.array_equal(first[name], second[name]) for name in first)
    written = [(folder / run / "split.csv").read_text() for run in ("run-1", "run-2")]
    assert written[0] == written[1]


@pytest.mark.thorough
def test_published_parts_without_validation_images_are_parted_once(tmp_path):
    random = np.random.default_rng(0)
    for place in ("train", "test"):
        for number in range(12):
            picture = random.integers(0, 255, (32, 32, 1), dtype=np.uint8)
            kind = ("good", "bad")[number % 2]
            images.write(tmp_path / "data" / place / kind / f"{number}.png", picture)
    short = GATE.model_copy(update={"epochs": 1})
    train_repeatedly(short, tmp_path / "data", tmp_path / "runs", runs=3, split="published")
    written = {(tmp_path / f"runs/run-{number}/split.csv").read_text() for number in (1, 2, 3)}
    assert len(written) == 1
    # Taken up again with the same words, all are found to be what they were.
    train_repeatedly(short, tmp_path / "data", tmp_path / "runs", runs=3, split="published")


def test_a_fold_is_the_same_in_all_runs(data, tmp_path):
    names = severstal.read(data).names
    folds = {name: number % 4 for number, name in enumerate(names)}
    splits.write(tmp_path / "folds.csv", dict.fromkeys(names, ""), fold_numbers=folds)
    short = GATE.model_copy(update={"epochs": 1})
    train_repeatedly(short, data, tmp_path / "runs", runs=2, split=tmp_path / "folds.csv", fold=2)
    first, second = ((tmp_path / f"runs/run-{number}/split.csv").read_text() for number in (1, 2))
    assert first == second
    assert f"{names[2]},validation" in first


def test_the_first_run_is_what_a_single_run_is(repeated, data, tmp_path):
    folder, _ = repeated
    train(GATE, data, tmp_path / "single")
    single = checkpoints.load(tmp_path / "single").tensors
    first = checkpoints.load(folder / "run-1").tensors
    assert all(np.array_equal(single[name], first[name]) for name in single)


def test_more_runs_add_to_those_that_are_there(repeated, data, tmp_path):
    folder = shutil.copytree(repeated[0], tmp_path / "copy")
    written = (folder / "run-1" / "model.safetensors").stat().st_mtime_ns
    train_repeatedly(GATE, data, folder, runs=3)
    assert column(folder, "seed") == [5, 6, 7]
    assert (folder / "run-1" / "model.safetensors").stat().st_mtime_ns == written


def test_runs_that_were_not_reached_are_begun_when_others_are_gone_on_with(
    repeated, data, tmp_path
):
    folder = shutil.copytree(repeated[0], tmp_path / "copy")
    train_repeatedly(GATE, data, folder, runs=3, resume=True)
    assert column(folder, "seed") == [5, 6, 7]
    with pytest.raises(ConfigError, match=r"there is no run in .*run-1"):
        train_repeatedly(GATE, data, tmp_path / "none", runs=2, resume=True)


def test_the_curves_of_all_runs_are_drawn(repeated):
    assert (repeated[0] / "curves.png").stat().st_size > 1000


def test_both_runs_of_a_cascade_are_measured(data, tmp_path):
    segmenter = GATE.model_copy(update={"architecture": "linknet", "crop_size": (64, 64)})
    cascade = CascadeConfig(gate=GATE, segmenter=segmenter)
    short = cascade.model_copy(
        update={
            name: getattr(cascade, name).model_copy(update={"epochs": 1})
            for name in ("gate", "segmenter")
        }
    )
    spreads = train_repeatedly(short, data, tmp_path / "runs", runs=2)
    assert {"gate.validation_loss", "segmenter.validation_dice_on_defects"} <= set(spreads)


def test_a_folder_of_a_single_run_is_refused(data, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds a single run"):
        train_repeatedly(GATE, data, tmp_path, runs=2)


def test_a_single_run_has_no_deviation(data, tmp_path):
    with pytest.raises(ConfigError, match="needs at least 2, got 1"):
        train_repeatedly(GATE, data, tmp_path, runs=1)
