"""The images of each run of a study, the same ones for all its variants."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steel_defect_detection.datasets import dealing, leakage, origins, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.training import parting
from steel_defect_detection.training.config import TrainConfig


class RunParts(NamedTuple):
    """Images of one run.

    Args:
        train: To learn from.
        validation: To choose the epoch by.
        measured: To measure the finished model on: the validation images, or
            others.
    """

    train: Dataset
    validation: Dataset
    measured: Dataset


def deal(
    study: Study,
    config: TrainConfig,
    dataset: Dataset,
    split: Path | str | None = None,
    fold: int | None = None,
) -> tuple[RunParts, ...]:
    """Part the images for each run.

    Args:
        study: Which says how many runs there are, what is measured on, and
            whether each run keeps back a fold of its own.
        config: Settings with the seed and share of validation images of all
            variants.
        dataset: All images, with labels.
        split: A ``split.csv``, or ``published``; None to draw the parts.
        fold: Fold of the ``split.csv`` to validate on.

    Raises:
        ConfigError: If the images cannot be parted so, or none is left to measure
            on.
        AnnotationError: If the ``split.csv`` is missing or malformed.
    """
    if study.folds:
        if split is not None:
            msg = f"the study deals {study.folds} folds out by itself: leave out the split"
            raise ConfigError(msg)
        found = tuple(_folds(study, config, _of_one_kind(dataset)))
    elif split is None and study.part == "test":
        share = {"validation_share": study.test_share}
        # Dealt as validation images are: by class, and whole groups.
        rest, test = parting.part(
            config.model_copy(update=share), _of_one_kind(dataset), None, None
        )
        found = (RunParts(*parting.part(config, rest, None, None), test),)
    else:
        found = (_given(study, config, dataset, split, fold),)
    if not all(len(parts.measured) for parts in found):
        msg = (
            f"there are no {study.part} images to measure on. Raise validation_share, or set part "
            "to 'test'"
        )
        raise ConfigError(msg)
    return tuple(found[number % len(found)] for number in range(study.runs))


def _given(
    study: Study, config: TrainConfig, dataset: Dataset, split: Path | str | None, fold: int | None
) -> RunParts:
    train, validation = parting.part(config, dataset, split, fold)
    if study.part == "validation" or split is None:
        return RunParts(train, validation, validation)
    test = splits.part(splits.read(split, dataset, fold=fold), "test")
    return RunParts(train, validation, test)


def _folds(study: Study, config: TrainConfig, dataset: Dataset) -> Iterator[RunParts]:
    grouped = any(entry.group for entry in dataset.entries)
    numbers = dealing.folds(
        dataset.labels(),
        fold_count=study.folds,
        seed=config.seed,
        groups=leakage.groups(dataset, "given").tolist() if grouped else None,
    )
    for number in range(study.folds):
        held = dataset.subset(np.flatnonzero(numbers == number).tolist())
        rest = dataset.subset(np.flatnonzero(numbers != number).tolist())
        if study.part == "validation":
            yield RunParts(rest, held, held)
        else:
            yield RunParts(*parting.part(config, rest, None, None), held)


def _of_one_kind(dataset: Dataset) -> Dataset:
    """Refuse synthetic images among real ones: those that they show stand in one part alone."""
    count = origins.count_synthetic(dataset)
    if 0 < count < len(dataset):
        msg = (
            f"{count} of {len(dataset)} images are synthetic: name the split.csv that they were "
            "made for, or a data set of real ones, of which synthetic_ratio makes more"
        )
        raise ConfigError(msg)
    return dataset


def joined(train: Dataset, validation: Dataset) -> Dataset:
    """Put the images of a run together, each with its part as the published one."""
    entries = [replace(entry, part="train") for entry in train.entries]
    entries += [replace(entry, part="validation") for entry in validation.entries]
    return replace(train, entries=tuple(entries))


def write(path: Path, images: RunParts) -> None:
    """Write the parts of a run down as a ``split.csv``.

    Args:
        path: The file to write.
        images: The parts.

    Raises:
        ResultsError: If it cannot be written.
    """
    names = dict.fromkeys(images.measured.names, "test")
    names |= dict.fromkeys(images.train.names, "train")
    names |= dict.fromkeys(images.validation.names, "validation")
    splits.write(path, names)
