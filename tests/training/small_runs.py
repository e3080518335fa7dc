"""Settings of runs that take seconds, and what they leave behind."""

import csv
from pathlib import Path

import pytest

from steel_defect_detection.training.callbacks import Progress
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

SEGMENTER = TrainConfig(
    architecture="linknet",
    crop_size=(64, 64),
    epochs=3,
    workers=0,
    precision="float32",
    pictures=False,
)


GATE = TrainConfig(
    architecture="classifier",
    encoder="shufflenet_v2",
    epochs=2,
    workers=0,
    precision="float32",
    pictures=False,
)


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table by the names of its columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def learned(path: Path) -> list[dict[str, str]]:
    """Rows of a table of epochs but for what tells how fast the machine was."""
    speed = {"images_per_second", "waiting_share"}
    return [{name: row[name] for name in row.keys() - speed} for row in rows(path)]


def train_two_epochs(monkeypatch, config: TrainConfig, data: Path, folder: Path) -> None:
    """Train a longer run until somebody presses Ctrl-C at the start of the third epoch."""
    begin = Progress.on_train_epoch_start

    def interrupted(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt
        begin(self, trainer, pl_module)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "on_train_epoch_start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config, data, folder)
