"""Studies whose trainings take a second, or none at all."""

from pathlib import Path

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.experiments.study import Study

TINY = {
    "architecture": "classifier",
    "labels": "exclusive",
    "encoder": "shufflenet_v2",
    "size": [32, 32],
    "epochs": 2,
    "batch_size": 4,
    "workers": 0,
    "device": "cpu",
    "precision": "float32",
    "validation_share": 0.25,
}


def study(**changes) -> Study:
    """Two learning rates, twice."""
    content = {
        "name": "rates",
        "base": TINY,
        "axes": {"learning_rate": [0.001, 0.01]},
        "runs": 2,
    }
    return Study.model_validate(content | changes)


def draw_classes(folder: Path, count: int = 12) -> Path:
    """Draw pictures of 32 x 32 in two folders, dark ones and bright ones."""
    random = np.random.default_rng(0)
    for label, low in (("dark", 0), ("bright", 128)):
        for number in range(count):
            pixels = random.integers(low, low + 128, (32, 32, 1), dtype=np.uint8)
            images.write(folder / label / f"{number:02d}.png", pixels)
    return folder


def entries(labels: list[tuple[bool, ...]], groups: list[str | None] | None = None) -> Dataset:
    """A data set without pictures."""
    groups = groups or [None] * len(labels)
    return Dataset(
        classes=tuple(f"class_{number}" for number in range(len(labels[0]))),
        entries=tuple(
            Entry(name=f"{number:03d}", labels=shown, group=group)
            for number, (shown, group) in enumerate(zip(labels, groups, strict=True))
        ),
    )


def record(variant: str, run: int, **measures: float) -> Record:
    """A finished run that nobody trained; dots in names of measures are ``__``."""
    return Record(
        variant=variant,
        run=run,
        seed=run - 1,
        training_images=18,
        synthetic_images=0,
        epoch=2,
        seconds=1.5,
        measures={name.replace("__", "."): value for name, value in measures.items()},
    )
