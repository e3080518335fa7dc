"""What happens between epochs: averages, early ends, the return of the best weights."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, Header, Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.training.callbacks import (
    Clock,
    KeepEpoch,
    RestoreBest,
    is_loss,
    worthless,
)
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train
from steel_defect_detection.training.task import Task, build

SEGMENTER = TrainConfig(
    architecture="linknet",
    encoder="mobilenet_v2",
    crop_size=(64, 64),
    epochs=3,
    workers=0,
    precision="float32",
    pictures=False,
)
GATE = SEGMENTER.model_copy(update={"architecture": "classifier", "encoder": "shufflenet_v2"})


def epochs(folder) -> list[dict[str, str]]:
    with (folder / "epochs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def tensors(folder) -> dict[str, np.ndarray]:
    return checkpoints.load(folder).tensors


@pytest.mark.thorough
@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_averaged_weights_are_kept_and_differ_from_the_last(tiny_severstal, tmp_path, averaging):
    last = SEGMENTER.model_copy(update={"keep": "last", "batch_size": 2})
    train(last, tiny_severstal, tmp_path / "plain")
    train(last.model_copy(update={"averaging": averaging}), tiny_severstal, tmp_path / "mean")
    name = "encoder.features.0.0.weight"
    assert not np.array_equal(tensors(tmp_path / "plain")[name], tensors(tmp_path / "mean")[name])
    losses = [[row["train_loss"] for row in epochs(tmp_path / run)] for run in ("plain", "mean")]
    assert losses[0] == losses[1]


@pytest.mark.thorough
def test_until_averaging_begins_the_weights_that_are_trained_are_judged_and_kept(
    tiny_severstal, tmp_path
):
    # Of four epochs the last is averaged. Before it, the untrained weights were judged.
    config = SEGMENTER.model_copy(update={"epochs": 4, "scheduler": "constant", "keep": "last"})
    train(config, tiny_severstal, tmp_path / "plain")
    train(config.model_copy(update={"averaging": "swa"}), tiny_severstal, tmp_path / "mean")
    plain, mean = (
        [row["validation_loss"] for row in epochs(tmp_path / run)] for run in ("plain", "mean")
    )
    assert len(set(mean[:3])) == 3
    assert mean[:3] == plain[:3]
    best = config.model_copy(update={"averaging": "swa", "keep": "best", "epochs": 9})
    stopped = best.model_copy(update={"early_stopping": 1, "learning_rate": 0.3})
    train(stopped, tiny_severstal, tmp_path / "best")
    without = stopped.model_copy(update={"averaging": "none"})
    train(without, tiny_severstal, tmp_path / "without")
    # It ended before anything was averaged, so that both keep the same.
    assert len(epochs(tmp_path / "best")) < 7
    kept, expected = tensors(tmp_path / "best"), tensors(tmp_path / "without")
    assert all(np.array_equal(kept[name], expected[name]) for name in expected)


def test_training_ends_after_epochs_without_progress(tiny_severstal, tmp_path):
    stuck = SEGMENTER.model_copy(
        update={
            "epochs": 9,
            "early_stopping": 2,
            "learning_rate": 1e-12,
            "monitor": "validation_dice_on_defects",
        }
    )
    train(stuck, tiny_severstal, tmp_path)
    assert len(epochs(tmp_path)) < 9
    # The prints system left without saving.
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert checkpoints.load(tmp_path).header.card.metrics["epoch"] == metrics["epoch"]


def end_epoch(kept: KeepEpoch, job: Task, epoch: int, loss: float) -> None:
    """Let an epoch, counted from 1, end with that loss; its number is all that the head holds."""
    torch.nn.init.constant_(job.graph.network.network.fc.bias, epoch)
    logged = {"validation_loss": torch.tensor(loss)}
    trainer = SimpleNamespace(current_epoch=epoch - 1, callback_metrics=logged, is_global_zero=True)
    kept.on_train_epoch_end(trainer, job)


def test_the_best_epoch_is_kept_whatever_comes_after_it(tmp_path):
    # The crops system kept a reference, which went on learning; the prints system never had a
    # best epoch unless the first loss was below 1000.
    description = GATE.graph(("a", "b"))
    job = build(GATE, description)
    header = Header(
        architecture="classifier",
        graphs={"classifier": description},
        classes=("a", "b"),
        thresholds=Thresholds.default(2),
    )
    path = tmp_path / "model.safetensors"
    kept = KeepEpoch(path, header, GATE)
    best = []
    for epoch, loss in enumerate([1e6, 0.5, 0.9, 0.7, 0.4, 0.8], start=1):
        if epoch == 4:
            # A resumed run knows of the best epoch only what was written down.
            resumed = KeepEpoch(path, header, GATE)
            resumed.load_state_dict(kept.state_dict())
            kept = resumed
        end_epoch(kept, job, epoch, loss)
        stored = checkpoints.load(path)
        best.append(stored.header.card.metrics["epoch"])
        assert stored.tensors["fc.bias"].tolist() == [best[-1]] * 2
    assert best == [1, 2, 2, 2, 5, 5]


def test_the_best_weights_come_back_after_epochs_without_progress(monkeypatch):
    returned = []
    kept = SimpleNamespace(measures={"epoch": 2}, restore=lambda job: returned.append(epoch))
    callback = RestoreBest(kept, patience=3)
    monkeypatch.setattr("steel_defect_detection.training.callbacks.Task", object)
    for epoch in range(1, 10):
        callback.on_train_epoch_end(SimpleNamespace(current_epoch=epoch - 1), object())
    assert returned == [5, 8]


def test_gradients_of_several_batches_make_one_step(tiny_severstal, tmp_path):
    single = SEGMENTER.model_copy(update={"epochs": 1, "batch_size": 2})
    train(single.model_copy(update={"accumulate": 3}), tiny_severstal, tmp_path / "few")
    train(single, tiny_severstal, tmp_path / "many")
    name = "encoder.features.0.0.weight"
    assert not np.array_equal(tensors(tmp_path / "few")[name], tensors(tmp_path / "many")[name])


def test_losses_are_best_when_low_and_other_measures_when_high():
    config = SEGMENTER.model_copy(update={"monitor": "validation_auroc"})
    kept = KeepEpoch(None, None, config)
    kept.measures = {"validation_auroc": 0.7}
    assert kept._is_better({"validation_auroc": 0.8})
    assert not kept._is_better({"validation_auroc": 0.6})
    assert is_loss("validation_loss")
    assert not is_loss("validation_auroc")


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ({"validation_dice_on_defects": 0.0}, "all is background"),
        ({"validation_dice_on_defects": 0.01}, None),
        # Without defects in the validation images there is nothing to say.
        ({"validation_dice_on_defects": float("nan")}, None),
        ({"validation_accuracy": 0.6, "validation_accuracy_majority": 0.6}, "no better than"),
        ({"validation_accuracy": 0.7, "validation_accuracy_majority": 0.6}, None),
        # It ranks images rightly, so that another threshold will do.
        (
            {
                "validation_accuracy": 0.5,
                "validation_accuracy_majority": 0.6,
                "validation_auroc": 0.9,
            },
            None,
        ),
        ({}, None),
    ],
)
def test_what_no_model_would_reach_as_well_is_said(measures, said):
    problem = worthless(measures)
    assert problem is None if said is None else said in problem


def test_a_run_that_outlines_nothing_says_so_and_what_to_try(tiny_severstal, tmp_path, capsys):
    # From weights that say "background" everywhere, and steps too small to change that.
    description = SEGMENTER.graph(("defect_1", "defect_2", "defect_3", "defect_4"))
    graph = graphs.build(description)
    torch.nn.init.constant_(graph.network.network.segmentation_head[0].bias, -50.0)
    header = Header(
        architecture="segmenter",
        graphs={"segmenter": description},
        classes=description.network.classes,
        thresholds=Thresholds.default(4),
        card=Card(name="empty", description="Says background.", limits="All."),
    )
    checkpoints.save(tmp_path / "empty.safetensors", header, weights.arrays(graph))
    stuck = SEGMENTER.model_copy(
        update={"learning_rate": 1e-12, "init": str(tmp_path / "empty.safetensors"), "epochs": 1}
    )
    train(stuck, tiny_severstal, tmp_path / "run")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert "all is background" in line
    assert "--defect-crops" in line


def test_the_clock_parts_waiting_from_work(monkeypatch):
    # Two batches of four images: 1 s and 3 s of waiting, 2 s of work each.
    moments = iter([10.0, 11.0, 13.0, 16.0, 18.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(moments))
    clock, batch = Clock(), (torch.zeros(4, 8, 8, 1), torch.zeros(4))
    clock.on_train_epoch_start(None, None)
    for number in range(2):
        clock.on_train_batch_start(None, None, batch, number)
        clock.on_train_batch_end(None, None, None, batch, number)
    assert clock.measures() == {"images_per_second": 1.0, "waiting_share": 0.5}


def test_each_epoch_says_how_fast_it_was_and_how_long_it_waited(tiny_severstal, tmp_path):
    train(SEGMENTER.model_copy(update={"epochs": 1}), tiny_severstal, tmp_path)
    (row,) = epochs(tmp_path)
    assert float(row["images_per_second"]) > 0
    assert 0 < float(row["waiting_share"]) < 1
