"""Parts of a data set: training, validation and test, or folds.

Images are dealt out by class combination, so that each part holds about the
same share of every combination ("clean", "class 3", "classes 3 and 4", ...).
Where images form groups that show the same thing, whole groups are dealt out.
The same seed gives the same parts.

``split.csv`` keeps a split: ``image,split,fold,group``, one row per image. With
folds the column ``split`` is empty; who reads it says which fold to validate on.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files
from steel_defect_detection.datasets import tables
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


def folds(
    labels: NDArray[np.bool_], *, fold_count: int, seed: int, groups: Sequence[int] | None = None
) -> NDArray[np.int64]:
    """Deal images into folds, stratified by class combination.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        fold_count: How many folds, 2 to the number of images.
        seed: Number that the deal depends on, 0 or more.
        groups: Number of each image's group; groups stay whole.

    Returns:
        Number of each image's fold, from 0, shape ``(images,)``.

    Raises:
        ConfigError: If there are fewer than two folds, or more than images or
            groups.
    """
    count = len(labels) if groups is None else len(set(groups))
    what = "images" if groups is None else "groups"
    if not 2 <= fold_count <= count:
        msg = f"fold count must lie between 2 and {count} {what}, got {fold_count}"
        raise ConfigError(msg)
    if groups is not None:
        return _deal(labels, np.full(fold_count, 1 / fold_count), seed, groups)
    numbers = np.empty(len(labels), dtype=np.int64)
    numbers[_by_combination(labels, seed)] = np.arange(len(labels)) % fold_count
    return numbers


def assign(
    labels: NDArray[np.bool_],
    *,
    shares: Mapping[str, float],
    seed: int,
    groups: Sequence[int] | None = None,
) -> list[str]:
    """Deal images into parts of given shares, stratified by class combination.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        shares: Share of each part by its name; together 1.
        seed: Number that the deal depends on, 0 or more.
        groups: Number of each image's group; groups stay whole, so the shares
            are met as closely as their sizes allow.

    Returns:
        Name of each image's part.

    Raises:
        ConfigError: If shares are not positive or do not add up to 1, or there
            are fewer images or groups than parts.
    """
    values = np.array(list(shares.values()), dtype=np.float64)
    if not len(values) or (values <= 0).any() or abs(values.sum() - 1) > 1e-6:
        msg = f"shares must be positive and add up to 1, got {dict(shares)}"
        raise ConfigError(msg)
    members = range(len(labels)) if groups is None else groups
    if len(set(members)) < len(values):
        what = "images" if groups is None else "groups"
        msg = f"{len(values)} parts need as many {what}, got {len(set(members))}"
        raise ConfigError(msg)
    names = list(shares)
    return [names[number] for number in _deal(labels, values, seed, members)]


def write(
    path: Path,
    parts: Mapping[str, str],
    *,
    folds: Mapping[str, int] | None = None,
    groups: Mapping[str, int] | None = None,
) -> None:
    """Write ``split.csv``.

    Args:
        path: The file to write.
        parts: ``train``, ``validation`` or ``test`` by image name; empty names
            where there are folds.
        folds: Number of the fold by image name.
        groups: Number of the group by image name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (image, part, (folds or {}).get(image, ""), (groups or {}).get(image, ""))
        for image, part in parts.items()
    )
    files.write_text(path, text.getvalue())


def read(path: Path, dataset: Dataset, *, fold: int | None = None) -> dict[str, Dataset]:
    """Part a data set as a ``split.csv`` says.

    Args:
        path: The file to read.
        dataset: The data set that it parts; images that the file does not
            name belong to no part.
        fold: With folds: the one to validate on; the others are for training.

    Returns:
        One data set per split that occurs in the file.

    Raises:
        AnnotationError: If the file is missing or malformed, or names an image
            that the data set does not have.
        ConfigError: If the file has folds and none of them is named, or
            another way round.
    """
    rows = list(_rows(path, dataset))
    known = {int(cells["fold"]) for cells in rows if cells["fold"].isdecimal()}
    if fold is None and any(not cells["split"] for cells in rows):
        msg = f"{path} has {len(known)} folds: say with --fold which one to validate on"
        raise ConfigError(msg)
    if fold is not None and fold not in known:
        msg = f"{path} has no fold {fold}; it has {sorted(known) or 'none'}"
        raise ConfigError(msg)
    number = {name: index for index, name in enumerate(dataset.names)}
    members: dict[str, list[int]] = {}
    for cells in rows:
        part = cells["split"] if fold is None else _part_of_fold(cells["fold"], fold)
        members.setdefault(part, []).append(number[cells["image"]])
    return {part: dataset.subset(indices) for part, indices in members.items()}


def part(parts: Mapping[str, Dataset], name: str) -> Dataset:
    """Take one part of a split.

    Raises:
        ConfigError: If there is no such part.
    """
    if name not in parts:
        msg = f"the split has no part {name!r}; it has {', '.join(sorted(parts))}"
        raise ConfigError(msg)
    return parts[name]


def parts_of(path: Path, dataset: Dataset) -> dict[str, str]:
    """Read which part or fold each image belongs to.

    Returns:
        Name of the part by name of the image; folds are called ``fold 0`` and
        so on.

    Raises:
        AnnotationError: If the file is missing or malformed, or names an image
            that the data set does not have.
    """
    return {
        cells["image"]: cells["split"] or f"fold {cells['fold']}" for cells in _rows(path, dataset)
    }


def _rows(path: Path, dataset: Dataset) -> Iterator[dict[str, str]]:
    """Yield the rows of a manifest that fits a data set."""
    if not path.is_file():
        msg = f"no split manifest in {str(path)!r}: there is no such file"
        raise AnnotationError(msg)
    if not {"image", "split"} <= set(tables.columns(path)):
        msg = f"{path} is no split manifest: expected the columns {','.join(COLUMNS)}"
        raise AnnotationError(msg)
    names = set(dataset.names)
    seen: set[str] = set()
    for line in tables.read(path):
        image = line.cells.get("image")
        if image is None or image not in names:
            msg = f"{path} line {line.number} names {image!r}, which is not in the data"
            raise AnnotationError(msg)
        if image in seen:
            msg = f"{path} line {line.number} names {image} a second time"
            raise AnnotationError(msg)
        seen.add(image)
        yield {"fold": "", "group": ""} | line.cells
    if not seen:
        msg = f"{path} is no split manifest: it names no images"
        raise AnnotationError(msg)


def _part_of_fold(number: str, fold: int) -> str:
    return "validation" if number == str(fold) else "train"


def _deal(
    labels: NDArray[np.bool_], shares: NDArray[np.float64], seed: int, groups: Iterable[int]
) -> NDArray[np.int64]:
    """Deal whole groups, the largest first, each to the part that misses it most.

    What a part misses is counted over images, clean images and images of each
    class, each in shares of its total, so that rare classes weigh as much as
    common ones.
    """
    _, members = np.unique(np.fromiter(groups, dtype=np.int64), return_inverse=True)
    clean = ~labels.any(axis=1, keepdims=True)
    counted = np.hstack([np.ones_like(clean), clean, labels]).astype(np.float64)
    totals = counted.sum(axis=0)
    counted /= np.maximum(totals, 1)
    sums = np.zeros((members.max() + 1, counted.shape[1]))
    np.add.at(sums, members, counted)
    shuffle = np.random.default_rng(seed).permutation(len(sums))
    order = shuffle[np.argsort(-sums[shuffle].sum(axis=1), kind="stable")]
    missing = np.outer(shares, totals > 0)
    parts = np.empty(len(sums), dtype=np.int64)
    for group in order:
        # What the squares of all that is missing fall by when this part gets the group; the
        # squares are in units of the part's own share.
        gain = (sums[group] * (2 * missing - sums[group]) / shares[:, None]).sum(axis=1)
        parts[group] = gain.argmax()
        missing[parts[group]] -= sums[group]
    return parts[members]


def _by_combination(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Order the images by class combination, at random within each."""
    shuffle = np.random.default_rng(seed).permutation(len(labels))
    _, combination = np.unique(labels[shuffle], axis=0, return_inverse=True)
    return shuffle[np.argsort(combination.reshape(-1), kind="stable")]
