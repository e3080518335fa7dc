import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.errors import (
    ConfigError,
    DatasetNotFoundError,
    DeviceError,
    ImageError,
    TrainingError,
)
from steel_defect_detection.evaluation import evaluate
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.training import charts, presets, task
from steel_defect_detection.training.callbacks import Progress
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.data import TrainingItems
from steel_defect_detection.training.run import train
from tests.conftest import draw_sheets

SEGMENTER = TrainConfig(
    architecture="linknet",
    crop_size=(64, 64),
    epochs=3,
    workers=0,
    precision="float32",
    pictures=False,
)
GATE = TrainConfig(
    architecture="classifier", epochs=2, workers=0, precision="float32", pictures=False
)


def learned(path) -> list[dict[str, str]]:
    """Rows of a table of epochs but for what tells how fast the machine was."""
    speed = {"images_per_second", "waiting_share"}
    return [{name: row[name] for name in row.keys() - speed} for row in rows(path)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return draw_sheets(tmp_path_factory.mktemp("data"))


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


def test_without_a_manifest_groups_are_not_parted(data, tmp_path):
    dataset = severstal.read(data)
    entries = tuple(
        replace(entry, group=f"coil {number // 3}") for number, entry in enumerate(dataset.entries)
    )
    short = GATE.model_copy(update={"epochs": 1, "validation_share": 0.4})
    train(short, replace(dataset, entries=entries), tmp_path)
    parts = {row["image"]: row["split"] for row in rows(tmp_path / "split.csv")}
    assert set(parts.values()) == {"train", "validation"}
    for first in (0, 3, 6):
        assert len({parts[name] for name in dataset.names[first : first + 3]}) == 1


def test_one_fold_is_for_validation_and_the_others_are_for_training(data, tmp_path):
    names = severstal.read(data).names
    folds = {name: number % 4 for number, name in enumerate(names)}
    splits.write(tmp_path / "folds.csv", dict.fromkeys(names, ""), folds=folds)
    short = GATE.model_copy(update={"epochs": 1})
    train(short, data, tmp_path / "run", split=tmp_path / "folds.csv", fold=2)
    parts = {row["image"]: row["split"] for row in rows(tmp_path / "run/split.csv")}
    assert [name for name in names if parts[name] == "validation"] == [names[2], names[6]]
    with pytest.raises(ConfigError, match=r"fold 2 belongs to a split\.csv: name it with --split"):
        train(short, data, tmp_path / "other", fold=2)


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


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
    prediction = load_predictor(finished).predict(data / "train_images" / "sheet-1.png")
    assert prediction.label_map.shape == (64, 96)


def test_the_split_names_every_image_once(finished, data):
    names = [row["image"] for row in rows(finished / "split.csv")]
    assert sorted(names) == sorted(severstal.read(data).names)


def test_a_finished_run_is_not_trained_again(finished, data):
    before = (finished / "model.safetensors").stat().st_mtime_ns
    train(SEGMENTER, data, finished)
    assert (finished / "model.safetensors").stat().st_mtime_ns == before


def test_to_go_on_there_must_be_a_run(finished, data, tmp_path):
    with pytest.raises(ConfigError, match="there is no run in"):
        train(SEGMENTER, data, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()
    assert train(SEGMENTER, data, finished, resume=True).exists()


def test_a_folder_of_another_run_is_left_alone(finished, data):
    other = SEGMENTER.model_copy(update={"seed": 9})
    with pytest.raises(ConfigError, match=r"holds a run with other settings .* --overwrite"):
        train(other, data, finished)


def test_every_weight_of_the_network_is_trained(data):
    # The prints system built its optimiser before the new head, which then never learned.
    dataset = severstal.read(data)
    job = task.build(GATE, GATE.graph(dataset.classes))
    optimizer = job.configure_optimizers()["optimizer"]
    known = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    assert known == {id(weight) for weight in job.parameters()}


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
    config = GATE.model_copy(update={"encoder": "shufflenet_v2", "batch_size": 4})
    train(config, data, tmp_path)
    training = [row["image"] for row in rows(tmp_path / "split.csv") if row["split"] == "train"]
    assert sorted(read) == sorted((epoch, name) for epoch in range(2) for name in training)
    told = [float(row["train_loss"]) for row in rows(tmp_path / "epochs.csv")]
    assert told == pytest.approx(np.mean(np.reshape(losses, (2, len(training))), axis=1))


def test_a_failure_to_draw_leaves_the_model_and_can_be_made_up_for(data, tmp_path, monkeypatch):
    # The welds system lost its model to a chart that failed after the last epoch.
    config = GATE.model_copy(update={"encoder": "shufflenet_v2", "epochs": 1, "pictures": True})
    with monkeypatch.context() as broken:
        broken.setattr(charts, "draw", lambda *_arguments, **_settings: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config, data, tmp_path)
    assert load_predictor(tmp_path).predict(data / "train_images/sheet-1.png").scores.shape == (4,)
    train(config, data, tmp_path)
    assert (tmp_path / "confusion.png").exists()
    assert len(rows(tmp_path / "epochs.csv")) == 1


def test_a_state_that_would_run_code_is_refused(data, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'harm'}",)

    config = GATE.model_copy(update={"encoder": "shufflenet_v2", "epochs": 1})
    train(config, data, tmp_path)
    (tmp_path / "metrics.json").unlink()
    torch.save({"state_dict": Harm()}, tmp_path / "last.ckpt")
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged, .* Add --overwrite"):
        train(config, data, tmp_path)
    assert not (tmp_path / "harm").exists()


def test_validation_leaves_the_statistics_of_the_layers_alone(finished):
    # BatchNorm counts the batches it learned from; six training sheets are one batch per epoch.
    # The prints system validated in training mode, which would count the validation images too.
    checkpoint = checkpoints.load(finished)
    counted = checkpoint.tensors["encoder._bn0.num_batches_tracked"]
    assert int(counted) == checkpoint.header.card.metrics["epoch"]


@pytest.mark.parametrize(
    "settings",
    [
        # Every epoch is worse than the first, so that the rate falls, also across the interruption.
        {"workers": 2, "plateau_patience": 0, "learning_rate": 0.1},
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
    begin = Progress.on_train_epoch_start

    def interrupted(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt
        begin(self, trainer, pl_module)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_epoch_start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, data, tmp_path / "broken")
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
    prediction = load_predictor(checkpoint).predict(data / "train_images" / "sheet-1.png")
    assert prediction.gate_probability is not None


def test_training_can_start_from_a_checkpoint(finished, data, tmp_path):
    # So small a step that the weights stay what they were.
    still = {"init": str(finished), "learning_rate": 1e-30, "epochs": 1}
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


def test_a_damaged_state_cannot_be_gone_on_from(data, tmp_path):
    config = SEGMENTER.model_copy(update={"epochs": 1})
    train(config, data, tmp_path)
    (tmp_path / "metrics.json").unlink()
    state = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "last.ckpt").write_bytes(state[: len(state) // 2])
    with pytest.raises(TrainingError, match=r"last\.ckpt is damaged, .* Add --overwrite"):
        train(config, data, tmp_path)


def test_a_damaged_image_is_named_in_one_line_by_a_worker(tmp_path):
    folder = draw_sheets(tmp_path / "data")
    for path in (folder / "train_images").iterdir():
        path.write_bytes(path.read_bytes()[:-40])
    config = SEGMENTER.model_copy(update={"workers": 1})
    with pytest.raises(ImageError, match=r"^\S+sheet-\d\.png cannot be decoded[^\n]*$"):
        train(config, folder, tmp_path / "run")


def test_a_batch_too_small_to_learn_from_says_what_to_raise(data, tmp_path):
    config = SEGMENTER.model_copy(update={"batch_size": 1, "crop_size": (32, 32)})
    with pytest.raises(TrainingError, match="raise one of them"):
        train(config, data, tmp_path / "run")


def test_a_reader_that_is_killed_is_one_line(data, tmp_path, monkeypatch):
    def killed(*_arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr("steel_defect_detection.training.data.TrainingItems.__getitem__", killed)
    with pytest.raises(TrainingError, match="Try fewer --workers than 1"):
        train(SEGMENTER.model_copy(update={"workers": 1}), data, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"monitor": "foo"}, "monitor 'foo' is not measured here. Measured are: train_loss, "),
        # What no model would reach as well says nothing about an epoch.
        ({"monitor": "validation_dice_all_empty"}, "is not measured here"),
        ({"strategy": "foo"}, "strategy 'foo' cannot be used"),
        ({"nodes": 2}, "nothing says where the others are"),
    ],
)
def test_what_cannot_be_done_is_refused_before_training(data, tmp_path, settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        train(SEGMENTER.model_copy(update=settings), data, tmp_path / "run")
    assert not (tmp_path / "run" / "epochs.csv").exists()


@pytest.mark.parametrize(
    "config", [SEGMENTER, GATE, SEGMENTER.model_copy(update={"gate_head": True})]
)
def test_every_measure_that_is_offered_is_measured(data, tmp_path, config):
    train(config.model_copy(update={"epochs": 1, "encoder": "resnet18"}), data, tmp_path)
    (row,) = rows(tmp_path / "epochs.csv")
    description = config.graph(("defect_1",))
    assert set(task.measured(description)) < set(row)


def test_images_without_any_defect_teach_nothing(tmp_path):
    for number in range(4):
        image = np.full((64, 64, 1), 90 + number, dtype=np.uint8)
        images.write(tmp_path / "images" / f"{number}.png", image)
        images.write(tmp_path / "masks" / f"{number}.png", np.zeros_like(image))
    (tmp_path / "classes.txt").write_text("pit\n")
    with pytest.raises(ConfigError, match="no training image shows any class"):
        train(SEGMENTER, tmp_path, tmp_path / "run")


def test_a_lack_of_memory_says_what_to_make_smaller(data, tmp_path, monkeypatch):
    def too_large(*_arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr(task.SegmenterTask, "loss", too_large)
    with pytest.raises(TrainingError, match=r"memory ran out\. Try a smaller --batch-size"):
        train(SEGMENTER, data, tmp_path)


def test_a_plateau_needs_images_to_validate_on(data, tmp_path):
    names = severstal.read(data).names
    (tmp_path / "split.csv").write_text(f"image,split\n{names[0]},train\n")
    config = SEGMENTER.model_copy(update={"keep": "last"})
    with pytest.raises(ConfigError, match="no images to validate on"):
        train(config, data, tmp_path / "run", split=tmp_path / "split.csv")


@pytest.mark.parametrize(
    ("folders", "parts"),
    [
        (("training", "val", "testing"), {"training": "train", "val": "validation"}),
        # Without published validation images some of the training images serve.
        (("train", "test"), {"train": None}),
    ],
)
def test_published_parts_are_kept_and_their_test_images_left_alone(tmp_path, folders, parts):
    random = np.random.default_rng(0)
    for place in folders:
        for kind in ("good", "bad"):
            for number in range(6):
                image = random.integers(0, 255, (32, 32, 1), dtype=np.uint8)
                images.write(tmp_path / "data" / place / kind / f"{number}.png", image)
    settings = GATE.model_copy(update={"epochs": 1, "encoder": "resnet18"})
    train(settings, tmp_path / "data", tmp_path / "run", split="published")
    taken = {row["image"]: row["split"] for row in rows(tmp_path / "run/split.csv")}
    assert {name.split("/")[0] for name in taken} == set(parts)
    assert set(taken.values()) == {"train", "validation"}
    assert all(parts[name.split("/")[0]] in {None, split} for name, split in taken.items())


def test_all_images_can_be_trained_on(data, tmp_path):
    everything = {"keep": "last", "validation_share": 0.0, "scheduler": "cosine", "epochs": 1}
    train(SEGMENTER.model_copy(update=everything), data, tmp_path)
    assert {row["split"] for row in rows(tmp_path / "split.csv")} == {"train"}


def test_a_loss_that_is_not_finite_says_what_to_try(data, tmp_path):
    config = SEGMENTER.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"the loss became .* Try a smaller --learning-rate"):
        train(config, data, tmp_path / "run")


def test_weights_for_other_classes_are_refused(data, tmp_path):
    config = SEGMENTER.model_copy(update={"class_weights": (1.0, 2.0)})
    with pytest.raises(ConfigError, match="class_weights has 2 values, but the data has 4 classes"):
        train(config, data, tmp_path / "run")


def test_a_split_can_be_given(data, tmp_path):
    names = severstal.read(data).names
    table = ["image,split,fold,group", f"{names[1]},train,,", f"{names[0]},validation,,"]
    (tmp_path / "split.csv").write_text("\n".join(table))
    config = SEGMENTER.model_copy(update={"epochs": 1, "crops_per_image": 2})
    train(config, data, tmp_path / "run", split=tmp_path / "split.csv")
    assert [row["image"] for row in rows(tmp_path / "run/split.csv")] == [names[1], names[0]]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_device_that_is_not_there_is_refused(data, tmp_path):
    config = SEGMENTER.model_copy(update={"device": "cuda"})
    with pytest.raises(DeviceError, match=r"device 'cuda' .* Use --device cpu"):
        train(config, data, tmp_path / "run")


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
