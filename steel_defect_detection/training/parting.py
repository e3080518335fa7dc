"""The two parts of a data set that a run looks at: images to train on, images to validate on."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import dealing, leakage, origins, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import is_first
from steel_defect_detection.wording import amount

_LOG = logging.getLogger(__name__)

Parts = tuple[Dataset, Dataset]
"""Images to train on, and images to validate on."""


def part(
    config: TrainConfig, dataset: Dataset, split: Path | str | None, fold: int | None
) -> Parts:
    """Part the images into training and validation.

    Args:
        config: Settings of the run, whose seed and share of validation images
            count where the split does not say which images to validate on.
            Synthetic images come with the parts that they were made for.
        dataset: All images, with their labels.
        split: A ``split.csv``, or ``published``; None to draw the parts.
        fold: Fold to validate on, if the ``split.csv`` has folds.

    Raises:
        ConfigError: If there is a fold without a split, or the split does not
            fit the data.
        AnnotationError: If the ``split.csv`` is missing or malformed.
    """
    if split is None and fold is not None:
        msg = f"fold {fold} belongs to a split.csv: name it with --split"
        raise ConfigError(msg)
    if split is None and _knows_parts(dataset):
        _LOG.info("training and validation images are those that synthetic images were made for")
        split = splits.PUBLISHED
    if split is not None:
        parted = splits.read(split, dataset, fold=fold)
        origins.refuse_leaks(parted, str(split))
        _remark_on_leaks(splits.read(split, dataset, fold=fold, with_groups=True), str(split))
        if "train" not in parted:
            msg = (
                f"there are no images to train on: {split} names none as 'train', and its parts "
                f"are {', '.join(sorted(parted))}"
            )
            raise ConfigError(msg)
        if str(split) != splits.PUBLISHED or "validation" in parted:
            return parted.get("train", dataset[:0]), parted.get("validation", dataset[:0])
        # Published in training and test images only: the latter are for the end.
        dataset = parted.get("train", dataset[:0])
    if config.validation_share == 0:
        return dataset, dataset[:0]
    return _dealt(config, dataset)


def write(path: Path, parts: Parts) -> None:
    """Write the parts down as a ``split.csv``.

    Args:
        path: The file to write.
        parts: The two parts.
    """
    training, validation = parts
    names = dict.fromkeys(training.names, "train") | dict.fromkeys(validation.names, "validation")
    splits.write(path, names)


def is_exclusive(config: TrainConfig, parts: Parts) -> bool:
    """Tell whether each image or crop shows exactly one class, or is said to.

    Args:
        config: Settings of the run, which may declare it.
        parts: The images, which decide where the settings do not.
    """
    if config.kind != "classifier" or config.labels == "independent":
        return False
    if config.labels == "exclusive":
        return True
    if len(parts[0].classes) < 2 or (config.crop_size and config.defect_crops < 1):
        return False
    known = [entry.labels for part in parts for entry in part.entries]
    return all(labels is not None and sum(labels) == 1 for labels in known)


def _remark_on_leaks(parted: Mapping[str, Dataset], where: str) -> None:
    """Say how many images to validate on have one of their own group among those to train on."""
    training, validation = (
        [entry.group for entry in parted[name].entries if entry.group] if name in parted else []
        for name in ("train", "validation")
    )
    known = frozenset(training)
    leaking = sum(group in known for group in validation)
    if leaking and is_first():
        _LOG.warning(
            "%s leaks: %s to validate on are of a group that is trained on, too, so the measures "
            "will look better than the model is. sdd-split parts without leaks",
            where,
            amount(leaking, "image"),
        )


def _knows_parts(dataset: Dataset) -> bool:
    """Tell whether synthetic images were made for one of several parts: dealing would mix them."""
    parts = {entry.part for entry in dataset.entries}
    made = any(entry.made_from is not None for entry in dataset.entries)
    return made and {"train", "validation"} <= parts


def _dealt(config: TrainConfig, dataset: Dataset) -> Parts:
    """Choose real images to validate on, and train on nothing that was made from them."""
    photographs = tuple(entry for entry in dataset.entries if entry.made_from is None)
    synthetic = [entry for entry in dataset.entries if entry.made_from is not None]
    if not photographs:
        _LOG.info("all images are synthetic: what is measured on them says little of real ones")
        photographs, synthetic = dataset.entries, []
    real = replace(dataset, entries=photographs)
    chosen = _validation(config, real)
    validation = real.subset(chosen.nonzero()[0])
    seen = frozenset[str]().union(*map(origins.keys, validation.entries))
    usable = [entry for entry in synthetic if seen.isdisjoint(origins.keys(entry))]
    if len(usable) < len(synthetic):
        _LOG.info(
            "%d of %d synthetic images are left out, for they were made from images to validate on",
            len(synthetic) - len(usable),
            len(synthetic),
        )
    training = real.subset((~chosen).nonzero()[0])
    return replace(training, entries=(*training.entries, *usable)), validation


def _validation(config: TrainConfig, dataset: Dataset) -> NDArray[np.bool_]:
    """Choose the images to validate on; groups stay whole."""
    share, seed = config.validation_share, config.seed
    if not any(entry.group or entry.made_from for entry in dataset.entries):
        return dealing.by_image(dataset.labels(), share=share, seed=seed)
    parts = dealing.assign(
        dataset.labels(),
        shares={"train": 1 - share, "validation": share},
        seed=seed,
        groups=leakage.groups(dataset, "given").tolist(),
    )
    return np.array([part == "validation" for part in parts])
