"""Training a generator of images, from a data set to a folder."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from steel_defect_detection import drawing, images
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import (
    CheckpointError,
    DeviceError,
    NoImagesError,
    ResultsError,
    TrainingError,
)
from steel_defect_detection.synthesis.gan import GanConfig, load_gan, train_gan
from steel_defect_detection.synthesis.gan_task import GanTask
from steel_defect_detection.training.callbacks import Progress
from tests.calibration import toys
from tests.datasets.drawn import entry

SHORT = GanConfig(image_size=16, latent_size=6, epochs=2, batch_size=4)


def squares(count: int = 8, *, with_masks: bool = True) -> Dataset:
    """Dark images with a bright square on the left or on the right, and its mask."""
    entries = []
    for number in range(count):
        mask = np.zeros((2, 16, 16), dtype=np.bool_)
        left = 2 if number % 2 else 9
        mask[0, 4:12, left : left + 5] = True
        image = np.where(mask[0], 220, 30)
        entries.append(entry(f"{number}.png", image, mask if with_masks else None))
    return Dataset(classes=("square", "unseen"), entries=tuple(entries))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "epochs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_a_generator_a_table_and_a_sheet_per_epoch(tmp_path, capsys):
    made = train_gan(squares(), SHORT, tmp_path / "run", device="cpu")
    assert made.classes == ("square", "unseen")
    assert made.header.epochs == 2
    assert made.header.images == 8
    folder = tmp_path / "run"
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        "config.json",
        "epoch-0001.png",
        "epoch-0002.png",
        "epochs.csv",
        "gan.safetensors",
    ]
    assert GanConfig.model_validate(json.loads((folder / "config.json").read_text())) == SHORT
    assert [list(row) for row in rows(folder)] == [
        ["epoch", "generator_loss", "discriminator_loss"]
    ] * 2
    # Six by six with a frame of two pixels, and the masks beside.
    sheet = images.read(folder / "samples" / "epoch-0002.png")
    assert sheet.shape == (6 * 18, 2 * 6 * 18, 3)
    image, masks = made.sample(36, SHORT.seed)[7]
    assert np.array_equal(sheet[18:34, 18:34], np.repeat(image, 3, axis=2))
    beside = sheet[18:34, 6 * 18 + 18 : 6 * 18 + 34]
    assert np.array_equal((beside == drawing.color(1)).all(axis=2), masks[0])
    assert np.array_equal((beside == drawing.color(2)).all(axis=2), masks[1])
    assert "epoch 2/2: " in capsys.readouterr().err
    image, masks = load_gan(folder).sample(1, 0)[0]
    assert image.shape == (16, 16, 1)
    assert masks.shape == (2, 16, 16)


def test_without_masks_there_are_images_alone_in_colour_if_asked_for(tmp_path):
    config = SHORT.model_copy(update={"channels": 3, "epochs": 1})
    made = train_gan(squares(with_masks=False), config, tmp_path, device="cpu")
    image, masks = made.sample(1, 0)[0]
    assert image.shape == (16, 16, 3)
    assert masks is None
    assert images.size(tmp_path / "samples" / "epoch-0001.png") == (6 * 18, 6 * 18)


def test_the_same_seed_gives_the_same_generator_and_another_one_another(tmp_path):
    def trained(name: str, seed: int) -> np.ndarray:
        config = SHORT.model_copy(update={"seed": seed})
        return train_gan(squares(), config, tmp_path / name, device="cpu").sample(1, 0)[0].image

    assert np.array_equal(trained("once", 0), trained("again", 0))
    assert not np.array_equal(trained("once-more", 0), trained("other", 1))


def test_a_judge_adds_how_far_each_epoch_is_from_the_real_images(tmp_path):
    judge = toys.model("independent")
    train_gan(squares(), SHORT, tmp_path, device="cpu", judge=judge)
    found = rows(tmp_path)
    assert list(found[0])[-2:] == ["kernel_distance", "kernel_deviation"]
    assert float(found[0]["kernel_deviation"]) > 0
    assert found[0]["kernel_distance"] != found[1]["kernel_distance"]


def test_ctrl_c_leaves_the_last_epoch_that_was_finished(tmp_path, monkeypatch):
    begin = Progress.on_train_epoch_start

    def interrupted(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt
        begin(self, trainer, pl_module)

    monkeypatch.setattr(Progress, "on_train_epoch_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_gan(squares(), SHORT.model_copy(update={"epochs": 9}), tmp_path, device="cpu")
    assert load_gan(tmp_path).header.epochs == 2
    assert len(load_gan(tmp_path).sample(3, 0)) == 3
    assert len(rows(tmp_path)) == 2


def test_a_folder_that_holds_something_is_refused_before_any_work(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ResultsError, match=r"is not empty: it holds mine\.txt"):
        train_gan(squares(), SHORT, tmp_path, device="cpu")


def test_overwriting_takes_the_samples_of_an_earlier_run_away_and_nothing_else(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    train_gan(squares(), SHORT, tmp_path, device="cpu", overwrite=True)
    shorter = SHORT.model_copy(update={"epochs": 1})
    train_gan(squares(), shorter, tmp_path, device="cpu", overwrite=True)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["epoch-0001.png"]
    assert (tmp_path / "mine.txt").exists()


def test_what_cannot_be_trained_is_refused_and_leaves_no_folder(tmp_path):
    with pytest.raises(NoImagesError, match="expected at least 2 defects"):
        train_gan(squares(1), SHORT, tmp_path / "run", device="cpu")
    with pytest.raises(DeviceError, match="device must be"):
        train_gan(squares(), SHORT, tmp_path / "run", device="abacus")
    with pytest.raises(CheckpointError, match="cannot read"):
        load_gan(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_memory_that_runs_out_is_said_in_a_line(tmp_path, monkeypatch):
    def too_much(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(GanTask, "training_step", too_much)
    message = "memory ran out. Try a smaller batch_size than 4 or a smaller image_size than 16"
    with pytest.raises(TrainingError, match=re.escape(message)):
        train_gan(squares(), SHORT, tmp_path, device="cpu")


def test_made_images_come_nearer_to_grey_ones_of_about_one_brightness(tmp_path):
    levels = np.random.default_rng(0).integers(30, 50, 64)
    grey = [entry(f"{n}.png", np.full((16, 16), level)) for n, level in enumerate(levels)]
    config = SHORT.model_copy(update={"epochs": 12, "batch_size": 8})
    train_gan(Dataset(classes=("none",), entries=tuple(grey)), config, tmp_path, device="cpu")
    first, last = (
        images.read(tmp_path / "samples" / f"epoch-{epoch:04d}.png") for epoch in (1, 12)
    )
    assert off(last, 40) < off(first, 40) / 2


def off(sheet: np.ndarray, brightness: int) -> float:
    """How far the pixels of a sheet are from a brightness on average, without its frames."""
    made = sheet.reshape(6, 18, 6, 18, 3)[:, :16, :, :16]
    return float(np.abs(made.astype(int) - brightness).mean())


@pytest.mark.thorough
def test_made_masks_lie_where_the_made_squares_are(tmp_path):
    """A mask and a square that knew nothing of each other would share a sixth at most."""
    config = SHORT.model_copy(
        update={"epochs": 25, "batch_size": 8, "learning_rate": 5e-4, "crops": False}
    )
    made = train_gan(squares(64), config, tmp_path, device="cpu").sample(64, seed=9)
    bright = np.stack([image[..., 0] > 125 for image, _ in made])
    masks = np.stack([masks for _, masks in made])
    shared, either = (bright & masks[:, 0]).sum(), (bright | masks[:, 0]).sum()
    assert shared / either > 0.5
    # As large as the real ones, on both sides, and none of the class that never occurs.
    assert masks[:, 0].mean() == pytest.approx(40 / 256, rel=0.5)
    assert masks[:, 0, 8, 4].any()
    assert masks[:, 0, 8, 11].any()
    assert masks[:, 1].mean() < 0.01
