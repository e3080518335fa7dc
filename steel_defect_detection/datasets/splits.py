"""Parts of a data set: training and validation, or folds.

Images are dealt out by class combination, so that each part holds about the
same share of every combination ("clean", "class 3", "classes 3 and 4", ...).
The same seed gives the same parts.

``split.csv`` keeps a split: ``image,split,fold,group``, one row per image.
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import AnnotationError, ConfigError

COLUMNS = ("image", "split", "fold", "group")


def by_image(labels: NDArray[np.bool_], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose validation images, stratified by class combination.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        share: Part of the images to choose, above 0 and below 1.
        seed: Number that the choice depends on, 0 or more.

    Returns:
        True for each validation image, bool, shape ``(images,)``. At least
        one image is chosen and at least one is left.

    Raises:
        ConfigError: If the share is out of range or there are fewer than two
            images.
    """
    count = len(labels)
    if not 0 < share < 1:
        msg = f"validation share must lie between 0 and 1, got {share}"
        raise ConfigError(msg)
    if count < 2:
        msg = f"a split needs at least 2 images, got {count}"
        raise ConfigError(msg)
    chosen_count = min(max(round(share * count), 1), count - 1)
    # Systematic sampling along the strata: every 1/share-th image is taken.
    marks = (np.arange(chosen_count) + np.random.default_rng(seed).random()) * count / chosen_count
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[_by_combination(labels, seed)[marks.astype(int)]] = True
    return chosen


def folds(labels: NDArray[np.bool_], *, fold_count: int, seed: int) -> NDArray[np.int64]:
    """Deal images into folds, stratified by class combination.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        fold_count: How many folds, 2 to the number of images.
        seed: Number that the deal depends on, 0 or more.

    Returns:
        Number of each image's fold, from 0, shape ``(images,)``.

    Raises:
        ConfigError: If there are fewer than two folds or more than images.
    """
    if not 2 <= fold_count <= len(labels):
        msg = f"fold count must lie between 2 and {len(labels)} images, got {fold_count}"
        raise ConfigError(msg)
    numbers = np.empty(len(labels), dtype=np.int64)
    numbers[_by_combination(labels, seed)] = np.arange(len(labels)) % fold_count
    return numbers


def write(path: Path, splits: Mapping[str, str]) -> None:
    """Write ``split.csv``.

    Args:
        path: The file to write.
        splits: ``train``, ``validation`` or ``test`` by image name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((image, split, "", "") for image, split in splits.items())
    files.write_text(path, text.getvalue())


def read(path: Path, dataset: Dataset) -> dict[str, Dataset]:
    """Part a data set as a ``split.csv`` says.

    Args:
        path: The file to read.
        dataset: The data set that it parts; images that the file does not
            name belong to no part.

    Returns:
        One data set per split that occurs in the file.

    Raises:
        AnnotationError: If the file is missing or malformed, or names an image
            that the data set does not have.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except OSError as error:
        msg = f"no split manifest in {str(path)!r}: {error.strerror}"
        raise AnnotationError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is no table of text in UTF-8: {error}"
        raise AnnotationError(msg) from error
    if not rows or not {"image", "split"} <= set(rows[0]):
        msg = f"{path} is no split manifest: expected the columns {','.join(COLUMNS)}"
        raise AnnotationError(msg)
    number = {name: index for index, name in enumerate(dataset.names)}
    repeated = [name for name, count in Counter(row["image"] for row in rows).items() if count > 1]
    if repeated:
        msg = f"{path} names {len(repeated)} images more than once, first: {repeated[0]}"
        raise AnnotationError(msg)
    unknown = [row["image"] for row in rows if row["image"] not in number]
    if unknown:
        msg = f"{path} names {len(unknown)} images not in the data, first: {unknown[0]}"
        raise AnnotationError(msg)
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(row["split"], []).append(number[row["image"]])
    return {split: dataset.subset(indices) for split, indices in members.items()}


def _by_combination(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Order the images by class combination, at random within each."""
    shuffle = np.random.default_rng(seed).permutation(len(labels))
    _, combination = np.unique(labels[shuffle], axis=0, return_inverse=True)
    return shuffle[np.argsort(combination.reshape(-1), kind="stable")]
