import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import (
    ConfigError,
    DatasetNotFoundError,
    ResultsError,
    TrainingError,
)
from steel_defect_detection.evaluation import evaluate
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.predictors.shared_backbone import SharedBackbonePredictor
from steel_defect_detection.runtimes.locks import alone
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.draw import StripDrawer
from steel_defect_detection.synthesis.synthesize import synthesize
from steel_defect_detection.training import charts, presets, task
from steel_defect_detection.training.config import CascadeConfig
from steel_defect_detection.training.data import TrainingItems
from steel_defect_detection.training.run import train
from tests.conftest import draw_sheets
from tests.training.small_runs import GATE, SEGMENTER, learned, rows, train_two_epochs


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """The folder of a finished run of three epochs."""
    folder = tmp_path_factory.mktemp("run")
    train(SEGMENTER, data, folder)
    return folder


def test_ones_own_images_and_masks_can_be_trained_on(tmp_path):
    random = np.random.default_rng(0)
    for number in range(4):
        picture = random.integers(0, 255, size=(64, 64, 3), dtype=np.uint8)
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[8:40, 8:40] = number % 3
        images.write(tmp_path / f"images/{number}.jpg", picture)
        images.write(tmp_path / f"masks/{number}.png", mask)
    (tmp_path / "classes.txt").write_text("rust\npits\n")
    short = SEGMENTER.model_copy(update={"epochs": 1, "validation_share": 0.5})
    checkpoint = checkpoints.load(train(short, tmp_path, tmp_path / "run"))
    assert checkpoint.header.classes == ("rust", "pits")
    with pytest.raises(DatasetNotFoundError, match="no CrackForest data in"):
        train(short, tmp_path, tmp_path / "other", layout="crack-forest")


def test_a_run_that_fails_before_its_first_epoch_can_be_begun_with_other_settings(tmp_path):
    for number in range(4):
        shape = (64, 64 + 8 * number)
        images.write(tmp_path / f"images/{number}.png", np.full(shape, 90, dtype=np.uint8))
        images.write(tmp_path / f"masks/{number}.png", np.ones(shape, dtype=np.uint8))
    short = GATE.model_copy(update={"epochs": 1, "labels": "independent"})
    with pytest.raises(TrainingError, match="differ in size"):
        train(short, tmp_path, tmp_path / "run")
    train(short.model_copy(update={"size": (64, 64)}), tmp_path, tmp_path / "run")
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train(short, tmp_path, tmp_path / "run")


def test_the_split_that_is_named_is_neither_replaced_nor_removed(data, tmp_path):
    names = severstal.read(data).names
    parts = ["train", "train", "train", "validation", "test"]
    lines = [f"{name},{part}" for name, part in zip(names, parts, strict=False)]
    named = tmp_path / "run/split.csv"
    named.parent.mkdir()
    named.write_text("\n".join(["image,split", *lines, ""]))
    before = named.read_bytes()
    short = GATE.model_copy(update={"epochs": 1})
    with pytest.raises(ConfigError, match=r"holds split\.csv, and no config\.json says"):
        train(short, data, tmp_path / "run", split=named)
    assert named.read_bytes() == before
    train(short, data, tmp_path / "run", split=named, overwrite=True)
    assert named.read_bytes() == before


def test_a_preset_s_name_is_no_settings(tmp_path):
    with pytest.raises(ConfigError, match=r"presets\.load\('strip-gate'\) reads them"):
        train("strip-gate", tmp_path, tmp_path / "run")


def test_a_model_that_learned_from_a_clustering_says_so(tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", random.integers(0, 256, (8, 32, 32, 1), dtype=np.uint8))
    np.save(tmp_path / "labels.npy", np.arange(8, dtype=np.int32) % 2)
    (tmp_path / "clusters.json").write_text("{}")
    short = GATE.model_copy(update={"epochs": 1, "labels": "exclusive"})
    card = checkpoints.load(train(short, tmp_path, tmp_path / "run")).header.card
    assert card.measured.endswith("how well a model agrees with it, not how often it is right")


def test_the_training_loss_falls(finished):
    losses = [float(row["train_loss"]) for row in rows(finished / "epochs.csv")]
    assert len(losses) == SEGMENTER.epochs
    assert losses[-1] < losses[0]


def test_the_checkpoint_is_that_of_the_lowest_validation_loss(finished):
    best = min(rows(finished / "epochs.csv"), key=lambda row: float(row["validation_loss"]))
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["epoch"] == int(best["epoch"])
    card = checkpoints.load(finished).header.card
    assert card.metrics["validation_loss"] == float(best["validation_loss"])


def test_the_checkpoint_holds_the_weights_that_gave_its_measures(finished, data):
    checkpoint = checkpoints.load(finished)
    job = task.build(SEGMENTER, checkpoint.header.graphs["segmenter"]).eval()
    weights.restore(job.graph, checkpoint.tensors)
    validation = [row["image"] for row in rows(finished / "split.csv") if row["split"] != "train"]
    losses = []
    for sample in severstal.read(data):
        if sample.name in validation:
            pixels = torch.from_numpy(sample.image[None, ..., :1])
            truth = torch.from_numpy(sample.masks[None]).float()
            with torch.inference_mode():
                losses.append(job.loss(job.graph.logits(pixels), truth).item())
    expected = checkpoint.header.card.metrics["validation_loss"]
    assert np.mean(losses) == pytest.approx(expected, rel=1e-4)


def test_the_checkpoint_predicts(finished, data):
    prediction = load_predictor(finished, runtime="pytorch").predict(
        data / "train_images" / "sheet-1.png"
    )
    assert prediction.label_map.shape == (64, 96)


def test_the_split_names_every_image_once(finished, data):
    names = [row["image"] for row in rows(finished / "split.csv")]
    assert sorted(names) == sorted(severstal.read(data).names)


def test_a_finished_run_is_not_trained_again(finished, data):
    before = (finished / "model.safetensors").stat().st_mtime_ns
    train(SEGMENTER, data, finished)
    assert (finished / "model.safetensors").stat().st_mtime_ns == before


def test_two_runs_do_not_train_in_one_folder_at_the_same_time(data, tmp_path):
    with alone(tmp_path / "run"), pytest.raises(ResultsError, match="another run is writing into"):
        train(GATE, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_to_go_on_there_must_be_a_run(finished, data, tmp_path):
    with pytest.raises(ConfigError, match="there is no run in"):
        train(SEGMENTER, data, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()
    assert train(SEGMENTER, data, finished, resume=True).exists()


def test_a_folder_of_another_run_is_left_alone(finished, data):
    other = SEGMENTER.model_copy(update={"seed": 9})
    with pytest.raises(ConfigError, match=r"holds a run with other settings .* --overwrite"):
        train(other, data, finished)


def test_every_epoch_reads_each_image_and_tells_the_mean_of_its_losses(data, tmp_path, monkeypatch):
    # The strip system trained on eight images, and the crops system drew the loss of a last batch.
    read, losses = [], []
    fetch, step = TrainingItems.__getitem__, task.Task.training_step

    def fetched(items, key):
        read.append((key[0], items._dataset.names[key[2]]))
        return fetch(items, key)

    def stepped(job, batch, number):
        loss = step(job, batch, number)
        losses.extend([loss.item()] * len(batch[0]))
        return loss

    monkeypatch.setattr(TrainingItems, "__getitem__", fetched)
    monkeypatch.setattr(task.Task, "training_step", stepped)
    config = GATE.model_copy(update={"batch_size": 4})
    train(config, data, tmp_path)
    training = [row["image"] for row in rows(tmp_path / "split.csv") if row["split"] == "train"]
    assert sorted(read) == sorted((epoch, name) for epoch in range(2) for name in training)
    told = [float(row["train_loss"]) for row in rows(tmp_path / "epochs.csv")]
    assert told == pytest.approx(np.mean(np.reshape(losses, (2, len(training))), axis=1))


def test_a_failure_to_draw_leaves_the_model_and_can_be_made_up_for(data, tmp_path, monkeypatch):
    # The welds system lost its model to a chart that failed after the last epoch.
    config = GATE.model_copy(update={"epochs": 1, "pictures": True})
    with monkeypatch.context() as broken:
        broken.setattr(charts, "draw", lambda *_arguments, **_settings: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config, data, tmp_path)
    assert load_predictor(tmp_path, runtime="pytorch").predict(
        data / "train_images/sheet-1.png"
    ).scores.shape == (4,)
    train(config, data, tmp_path)
    assert (tmp_path / "confusion.png").exists()
    assert len(rows(tmp_path / "epochs.csv")) == 1


def test_validation_leaves_the_statistics_of_the_layers_alone(finished):
    # BatchNorm counts the batches it learned from; six training sheets are one batch per epoch.
    # The prints system validated in training mode, which would count the validation images too.
    checkpoint = checkpoints.load(finished)
    counted = checkpoint.tensors["encoder._bn0.num_batches_tracked"]
    assert int(counted) == checkpoint.header.card.metrics["epoch"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "settings",
    [
        # Every epoch is worse than the first, so that the rate falls, also across the interruption.
        {"workers": 1, "plateau_patience": 0, "learning_rate": 0.1},
        {"averaging": "ema", "scheduler": "one-cycle", "keep": "last"},
        {"averaging": "swa", "scheduler": "steps", "step_epochs": (2,), "learning_rate": 0.01},
        {"replacement": 2, "scheduler": "cosine", "learning_rate": 0.1},
    ],
    ids=" ".join,
)
def test_a_run_that_is_taken_up_ends_like_a_whole_one(
    data, tmp_path, monkeypatch, capsys, settings
):
    config = SEGMENTER.model_copy(update=settings | {"epochs": 4})
    train(config, data, tmp_path / "whole")
    train_two_epochs(monkeypatch, config, data, tmp_path / "broken")
    capsys.readouterr()
    train(config, data, tmp_path / "broken")
    # It went on: begun anew, it would end the same way.
    told = capsys.readouterr().err
    assert "epoch 3/4" in told
    assert "epoch 1/4" not in told
    assert learned(tmp_path / "broken/epochs.csv") == learned(tmp_path / "whole/epochs.csv")
    whole, broken = (checkpoints.load(tmp_path / run).tensors for run in ("whole", "broken"))
    assert all(np.array_equal(whole[name], broken[name]) for name in whole)


@pytest.mark.slow
def test_an_interrupted_run_ends_like_one_that_was_not(data, tmp_path):
    config = SEGMENTER.model_copy(update={"epochs": 4, "scheduler": "cosine"})
    train(config, data, tmp_path / "whole")
    program = (
        "import sys; from pathlib import Path;"
        "from steel_defect_detection.training.run import train;"
        "from steel_defect_detection.training.config import TrainConfig;"
        "train(TrainConfig.model_validate_json(sys.argv[1]), sys.argv[2], sys.argv[3])"
    )
    broken = tmp_path / "broken"
    arguments = [sys.executable, "-c", program, config.model_dump_json(), str(data), str(broken)]
    process = subprocess.Popen(arguments)
    while not (broken / "last.ckpt").exists() and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    train(config, data, broken)
    assert learned(broken / "epochs.csv") == learned(tmp_path / "whole/epochs.csv")
    for name, tensor in checkpoints.load(tmp_path / "whole").tensors.items():
        assert np.array_equal(tensor, checkpoints.load(broken).tensors[name])


def test_a_cascade_is_trained_into_one_checkpoint(data, tmp_path):
    short = {"epochs": 1}
    config = CascadeConfig(
        gate=GATE.model_copy(update=short), segmenter=SEGMENTER.model_copy(update=short)
    )
    checkpoint = checkpoints.load(train(config, data, tmp_path / "run"))
    assert checkpoint.header.architecture == "cascade"
    for part in ("gate", "segmenter"):
        alone = checkpoints.load(tmp_path / "run" / part)
        graph = "classifier" if part == "gate" else "segmenter"
        for name, tensor in checkpoint.weights(graph).items():
            assert np.array_equal(tensor, alone.tensors[name])
    prediction = load_predictor(checkpoint, runtime="pytorch").predict(
        data / "train_images" / "sheet-1.png"
    )
    assert prediction.gate_probability is not None


def test_training_can_start_from_a_checkpoint(finished, data, tmp_path):
    # So small a step that the weights stay what they were.
    still = {
        "init": str(finished),
        "encoder": SEGMENTER.encoder,
        "learning_rate": 1e-30,
        "epochs": 1,
    }
    train(GATE.model_copy(update=still), data, tmp_path / "run")
    stem = checkpoints.load(finished).tensors["encoder._conv_stem.weight"]
    started = checkpoints.load(tmp_path / "run").tensors["_conv_stem.weight"]
    assert np.allclose(started, stem, atol=1e-6)


def test_a_start_with_another_encoder_is_refused_and_leaves_the_folder_free(
    finished, data, tmp_path
):
    config = SEGMENTER.model_copy(update={"encoder": "efficientnet-b1", "init": str(finished)})
    message = "has the encoder efficientnet-b0, which does not fit efficientnet-b1. Add --encoder"
    with pytest.raises(ConfigError, match=re.escape(message)):
        train(config, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_on_other_data_is_left_alone(finished, data, tmp_path):
    other = draw_sheets(tmp_path / "other")
    (other / "train_images/sheet-0.png").unlink()
    before = (finished / "split.csv").read_text()
    with pytest.raises(ConfigError, match="holds a run with other images, another split"):
        train(SEGMENTER, other, finished)
    assert (finished / "split.csv").read_text() == before


def test_a_cascade_does_not_replace_another_run(finished, data):
    before = (finished / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="holds a run with other settings"):
        train(CascadeConfig(gate=GATE, segmenter=SEGMENTER), data, finished)
    assert (finished / "model.safetensors").read_bytes() == before


@pytest.mark.slow
@pytest.mark.real_data
def test_a_linknet_learns_the_real_strips(real_data, tmp_path):
    config = presets.load("strip-linknet", encoder="efficientnet-b0", epochs=30)
    dataset = severstal.read(real_data / "severstal")
    train(config, dataset, tmp_path / "run")
    losses = [float(row["validation_loss"]) for row in rows(tmp_path / "run/epochs.csv")]
    assert min(losses[1:]) < losses[0]
    trained = checkpoints.load(tmp_path / "run")
    torch.manual_seed(0)
    untrained = graphs.build(trained.header.graphs["segmenter"])
    checkpoints.save(tmp_path / "new.safetensors", trained.header, weights.arrays(untrained))
    validation = splits.read(tmp_path / "run/split.csv", dataset)["validation"]
    after, before = (
        evaluate(load_predictor(tmp_path / name), validation).dice.on_defects()
        for name in ("run", "new.safetensors")
    )
    assert after > before


def test_a_shared_backbone_keeps_the_encoder_of_its_gate(data, tmp_path):
    one = SEGMENTER.model_copy(update={"encoder": "mobilenet_v2", "gate_head": True, "epochs": 1})
    config = CascadeConfig(
        gate=one.model_copy(update={"train_part": "gate"}),
        segmenter=one.model_copy(update={"train_part": "decoder"}),
    )
    train(config, data, tmp_path)
    gate, both = checkpoints.load(tmp_path / "gate"), checkpoints.load(tmp_path)
    assert both.header.architecture == "shared_backbone"
    name = "encoder.features.18.1.running_mean"
    assert np.array_equal(gate.tensors[name], both.tensors[name])
    assert isinstance(load_predictor(tmp_path), SharedBackbonePredictor)


def test_a_model_says_how_much_of_what_it_learned_is_synthetic(tmp_path):
    empty = {"train": Dataset(classes=severstal.CLASSES, entries=())}
    amounts = {"train": Amount(per_class=2, clean=2)}
    maker = StripDrawer(shape=(64, 64))
    synthesize(empty, lambda _: maker, tmp_path / "drawn", amounts)
    short = GATE.model_copy(update={"epochs": 1, "validation_share": 0.5})
    card = checkpoints.load(train(short, tmp_path / "drawn", tmp_path / "run")).header.card
    assert card.limits.startswith("Trained on 5 images (5 of them synthetic) and judged on 5 only.")
