"""Settings of runs that take seconds, and what they leave behind."""

import csv
from pathlib import Path

from steel_defect_detection.training.config import TrainConfig

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


def rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table by the names of its columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def learned(path: Path) -> list[dict[str, str]]:
    """Rows of a table of epochs but for what tells how fast the machine was."""
    speed = {"images_per_second", "waiting_share"}
    return [{name: row[name] for name in row.keys() - speed} for row in rows(path)]
