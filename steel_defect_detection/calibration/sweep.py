"""Sweep: which threshold and least area each class should have, tried on labelled images.

Every pair of a threshold and a least area is scored by the Kaggle Dice of the
class: the mean over images, where an image without the class in truth and
prediction counts 1. It should be tried on validation images: on training images
the network is surer than it will be, and on test images the choice would make
the score too good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import checkpoints, masks
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.models.config import Flips
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MIN_AREAS = (0, 100, 300, 600, 1000, 2000, 3000)
_EQUAL = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """Kaggle Dice of each class at each choice.

    Args:
        classes: Names of the classes.
        thresholds: Probabilities tried out.
        min_areas: Least areas tried out, in pixels.
        dice: Shape ``(classes, thresholds, min_areas)``.
        all_empty: What predicting nothing scores, per class.
        flips: Mirrored copies of each image that were looked at, too.
    """

    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    min_areas: tuple[int, ...]
    dice: NDArray[np.float64]
    all_empty: NDArray[np.float64]
    flips: Flips = "none"

    def best(self) -> list[tuple[float, int]]:
        """Threshold and least area of each class; of equals the middle one, far from a cliff."""
        chosen = []
        for table in self.dice:
            equals = np.argwhere(table >= table.max() - _EQUAL)
            threshold, area = equals[len(equals) // 2]
            chosen.append((self.thresholds[threshold], self.min_areas[area]))
        return chosen

    def gainless(self) -> list[str]:
        """Classes for which nothing that was tried is better than outlining nothing."""
        highest = self.dice.max(axis=(1, 2))
        worthless = highest <= self.all_empty + _EQUAL
        return [name for name, is_so in zip(self.classes, worthless, strict=True) if is_so]


def sweep(
    predictor: Predictor,
    samples: Iterable[Sample],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    min_areas: Sequence[int] = MIN_AREAS,
) -> Sweep:
    """Try out thresholds and least areas.

    Args:
        predictor: A model that outlines defects, loaded with
            ``keep_probabilities``.
        samples: Images with masks, of the predictor's classes.
        thresholds: Probabilities to try.
        min_areas: Least areas to try, in pixels.

    Raises:
        ConfigError: If the predictor gives no probabilities, an image has no
            masks, or there are no images.
    """
    count = len(predictor.classes)
    shape = (len(thresholds), len(min_areas))
    rows: list[NDArray[np.float64]] = []
    empty: list[NDArray[np.bool_]] = []
    for sample in samples:
        probabilities = _probabilities(predictor, sample)
        truth = sample.masks
        if truth is None:
            msg = f"{sample.name} has no masks, so thresholds cannot be tried on it"
            raise ConfigError(msg)
        row = np.empty((count, *shape))
        for place in np.ndindex(*shape):
            limit, area = thresholds[place[0]], min_areas[place[1]]
            row[:, *place] = _dice(probabilities, truth, limit, area)
        rows.append(row)
        empty.append(np.asarray(~truth.any(axis=(1, 2))))
    if not rows:
        msg = "there are no images to try thresholds on"
        raise ConfigError(msg)
    return Sweep(
        classes=predictor.classes,
        thresholds=tuple(thresholds),
        min_areas=tuple(min_areas),
        dice=np.mean(rows, axis=0),
        all_empty=np.mean(empty, axis=0),
        flips=predictor.flips,
    )


def store(model: str | Path, found: Sweep) -> None:
    """Write the best thresholds and least areas into a checkpoint, and the flips they are for.

    A class for which nothing is better than outlining nothing keeps what it has: what is best
    for it may be never to outline it again.

    Args:
        model: Checkpoint file or run folder.
        found: What was tried out with it.

    Raises:
        CheckpointError: If there is no such model, or it knows other classes.
        ConfigError: If it comes with the package, or is calibrated for other flips.
    """
    refuse_built_in(model)
    checkpoint = checkpoints.load(model)
    if checkpoint.header.classes != found.classes:
        msg = f"{checkpoint.source} knows other classes than {', '.join(found.classes)}"
        raise CheckpointError(msg)
    old = checkpoint.header
    if old.calibration is not None and old.flips != found.flips:
        msg = (
            f"{checkpoint.source} is calibrated for flips {old.flips!r}, these thresholds are for "
            f"{found.flips!r}. Calibrate it with sdd-calibrate --flips {found.flips} first"
        )
        raise ConfigError(msg)
    limits, kept = old.thresholds, found.gainless()
    if len(kept) == len(found.classes):
        return
    chosen = [
        (limits.pixels[number], limits.min_areas[number]) if name in kept else best
        for number, (name, best) in enumerate(zip(found.classes, found.best(), strict=True))
    ]
    changes = {
        "pixels": tuple(threshold for threshold, _ in chosen),
        "min_areas": tuple(area for _, area in chosen),
    }
    thresholds = limits.model_copy(update=changes)
    header = old.model_copy(update={"thresholds": thresholds, "flips": found.flips})
    checkpoints.save(checkpoints.find(model), header, checkpoint.tensors)


def refuse_built_in(model: str | Path) -> None:
    """Raise if a model comes with the package, so that nothing can be stored in it.

    Args:
        model: As ``store`` takes it.

    Raises:
        ConfigError: If it does.
    """
    if str(model) in checkpoints.built_in():
        msg = f"{model!r} comes with the package; copy its file and store into the copy"
        raise ConfigError(msg)


def _probabilities(predictor: Predictor, sample: Sample) -> NDArray[np.float32]:
    prediction = predictor.predict(sample.image)
    if prediction.probabilities is not None:
        return prediction.probabilities
    gate = prediction.gate_probability
    if prediction.label_map is None or gate is None or gate >= predictor.thresholds.gate:
        msg = (
            "thresholds are tried on outlines, but this model draws none, or was loaded without "
            "keep_probabilities"
        )
        raise ConfigError(msg)
    # The gate let it pass, whatever the thresholds of the pixels are.
    return np.zeros((len(predictor.classes), *sample.shape), dtype=np.float32)


def _dice(
    probabilities: NDArray[np.float32], truth: NDArray[np.bool_], threshold: float, area: int
) -> NDArray[np.float64]:
    count = len(truth)
    label_map = masks.clean(
        probabilities, thresholds=(threshold,) * count, min_areas=(area,) * count
    )
    scores = DiceScores(count)
    scores.add(masks.from_label_map(label_map, count), truth)
    return np.asarray(scores.pairs()[0])
