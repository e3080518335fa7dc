"""Several runs with different seeds."""

import csv
import json
import shutil
import statistics

import numpy as np
import pytest

from steel_defect_detection import checkpoints
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.repeats import train_repeatedly
from steel_defect_detection.training.run import train
from tests.conftest import draw_sheets

GATE = TrainConfig(
    architecture="classifier",
    encoder="resnet18",
    epochs=2,
    seed=5,
    workers=0,
    precision="float32",
    pictures=False,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_sheets(tmp_path_factory.mktemp("data"))


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
    splits = [(folder / run / "split.csv").read_text() for run in ("run-1", "run-2")]
    assert splits[0] == splits[1]


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
