"""Parts of a data set: training, validation and test, or folds.

Images are dealt out by class combination, so that each part holds about the
same share of every combination ("clean", "class 3", "classes 3 and 4", ...).
Where images form groups that show the same thing, whole groups are dealt out,
and each part holds about the same share of every class. The same seed gives the
same parts.

``split.csv`` keeps a split: ``image,split,fold,group``, one row per image. With
folds the column ``split`` is empty; who reads it says which fold to validate on.
Images that have a split and no fold, say those kept back as ``test``, keep it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files
from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import AnnotationError, ConfigError

COLUMNS = ("image", "split", "fold", "group")

PUBLISHED = "published"
"""Word, in place of a file, for the parts that a data set was published in."""

_SPELLINGS = {
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "testing": "test",
}


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
    """Deal images into folds, stratified by class combination, or with groups by class.

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
            groups; or if the groups are not one per image.
    """
    _check(labels, groups, seed)
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
    """Deal images into parts of given shares, stratified by class.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        shares: Share of each part by its name; together 1.
        seed: Number that the deal depends on, 0 or more.
        groups: Number of each image's group; groups stay whole, so the shares
            are met as closely as their sizes allow.

    Returns:
        Name of each image's part; no part is empty.

    Raises:
        ConfigError: If shares are not positive or do not add up to 1, or there
            are fewer images or groups than parts; or if the groups are not one
            per image.
    """
    _check(labels, groups, seed)
    values = np.array(list(shares.values()), dtype=np.float64)
    # Written so that shares that are no number (nan) are refused too.
    if not (len(values) and (values > 0).all() and abs(values.sum() - 1) <= 1e-6):
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
    rows = (
        (image, part, (folds or {}).get(image, ""), (groups or {}).get(image, ""))
        for image, part in parts.items()
    )
    files.write_table(path, COLUMNS, rows)


def read(path: Path | str, dataset: Dataset, *, fold: int | None = None) -> dict[str, Dataset]:
    """Part a data set as a ``split.csv`` or its publisher says.

    Args:
        path: The file to read, or ``published`` for the parts that the data
            set came in, which are then called ``train``, ``validation`` and
            ``test``, however their publisher spells them.
        dataset: The data set that it parts; images that the file does not
            name belong to no part.
        fold: With folds: the one to validate on; the others are for training.

    Returns:
        One data set per split that occurs in the file.

    Raises:
        AnnotationError: If the file is missing or malformed, or names an image
            that the data set does not have.
        ConfigError: If the file has folds and none of them is named, or
            another way round, or the data set came in one part.
    """
    path = Path(path)
    if str(path) == PUBLISHED and not path.exists():
        return _published(dataset, fold)
    rows = list(_rows(path, dataset))
    known = {row.fold for row in rows if row.fold is not None}
    if fold is None and any(not row.split for row in rows):
        msg = f"{path} has {len(known)} folds: say with --fold which one to validate on"
        raise ConfigError(msg)
    if fold is not None and fold not in known:
        msg = f"{path} has no fold {fold}; it has {sorted(known) or 'none'}"
        raise ConfigError(msg)
    number = {name: index for index, name in enumerate(dataset.names)}
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(_part(row, fold), []).append(number[row.image])
    return {part: dataset.subset(indices) for part, indices in members.items()}


def published(dataset: Dataset) -> dict[str, str]:
    """Name the part that each image was published in, in its publisher's words.

    Raises:
        ConfigError: If the data set came in one part.
    """
    parts = {entry.name: entry.part for entry in dataset.entries if entry.part is not None}
    if not parts:
        msg = "the data set comes without published parts; name a split.csv"
        raise ConfigError(msg)
    return parts


def _published(dataset: Dataset, fold: int | None) -> dict[str, Dataset]:
    if fold is not None:
        msg = f"fold {fold} belongs to a split.csv; the published parts are no folds"
        raise ConfigError(msg)
    parts = published(dataset)
    members: dict[str, list[int]] = {}
    for number, name in enumerate(dataset.names):
        if name in parts:
            word = parts[name].lower()
            members.setdefault(_SPELLINGS.get(word, word), []).append(number)
    return {name: dataset.subset(indices) for name, indices in members.items()}


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
    return {row.image: row.split or f"fold {row.fold}" for row in _rows(path, dataset)}


class _Row(NamedTuple):
    """One row of a manifest; it has a split, a fold, or both."""

    image: str
    split: str
    fold: int | None


def _rows(path: Path, dataset: Dataset) -> Iterator[_Row]:
    """Yield the rows of a manifest that fits a data set."""
    if not path.is_file():
        msg = f"no split manifest in {str(path)!r}: there is no such file"
        raise AnnotationError(msg)
    if not {"image", "split"} <= set(tables.columns(path)):
        msg = f"{path} is no split manifest: expected the columns {','.join(COLUMNS)}"
        raise AnnotationError(msg)
    # As they are written, and as they are: a written name is taken for the file that bears it.
    names = {files.as_text(name): name for name in dataset.names}
    names |= {name: name for name in dataset.names}
    seen: set[str] = set()
    for line in tables.read(path):
        row = _row(line, f"{path} line {line.number}")
        row = row._replace(image=names.get(row.image, row.image))
        if row.image not in names:
            msg = f"{path} line {line.number} names {row.image!r}, which is not in the data"
            raise AnnotationError(msg)
        if row.image in seen:
            msg = f"{path} line {line.number} names {row.image} a second time"
            raise AnnotationError(msg)
        seen.add(row.image)
        yield row
    if not seen:
        msg = f"{path} is no split manifest: it names no images"
        raise AnnotationError(msg)


def _row(line: tables.Line, place: str) -> _Row:
    if not line.cells:
        msg = f"{place} has another number of cells than the table has columns"
        raise AnnotationError(msg)
    split, fold = line.cells["split"].strip(), line.cells.get("fold", "").strip()
    if not split and not fold:
        msg = f"{place} gives {line.cells['image']!r} neither a split nor a fold"
        raise AnnotationError(msg)
    if fold and not fold.isdecimal():
        msg = f"{place} has the fold {fold!r}, expected a number from 0"
        raise AnnotationError(msg)
    return _Row(line.cells["image"], split, int(fold) if fold else None)


def _part(row: _Row, fold: int | None) -> str:
    if fold is None or row.fold is None:
        return row.split
    return "validation" if row.fold == fold else "train"


def _check(labels: NDArray[np.bool_], groups: Sequence[int] | None, seed: int) -> None:
    if groups is not None and len(groups) != len(labels):
        msg = f"expected a group for each of {len(labels)} images, got {len(groups)}"
        raise ConfigError(msg)
    if seed < 0:
        msg = f"seed must be 0 or more, got {seed}"
        raise ConfigError(msg)


def _deal(
    labels: NDArray[np.bool_], shares: NDArray[np.float64], seed: int, groups: Iterable[int]
) -> NDArray[np.int64]:
    """Deal whole groups, the largest first, each to the part that misses it most.

    What a part misses is counted over images, clean images and images of each
    class, each in shares of its total, so that rare classes weigh as much as
    common ones; the images weigh as much as all classes together, or a class of
    few, large groups would draw whole parts out of their size. No part stays
    empty: the smallest groups are kept for that.
    """
    _, members = np.unique(np.fromiter(groups, dtype=np.int64), return_inverse=True)
    clean = ~labels.any(axis=1, keepdims=True)
    counted = np.hstack([np.ones_like(clean), clean, labels]).astype(np.float64)
    totals = counted.sum(axis=0)
    counted /= np.maximum(totals, 1)
    weights = np.ones_like(totals)
    weights[0] = max(labels.shape[1], 1)
    sums = np.zeros((members.max() + 1, counted.shape[1]))
    np.add.at(sums, members, counted)
    shuffle = np.random.default_rng(seed).permutation(len(sums))
    order = shuffle[np.argsort(-sums[shuffle].sum(axis=1), kind="stable")]
    missing = np.outer(shares, totals > 0)
    parts = np.empty(len(sums), dtype=np.int64)
    empty = np.ones(len(shares), dtype=np.bool_)
    for place, group in enumerate(order):
        # What the squares of all that is missing fall by when this part gets the group; the
        # squares are in units of the part's own share.
        gain = (sums[group] * (2 * missing - sums[group]) / shares[:, None]) @ weights
        if len(order) - place <= np.count_nonzero(empty):
            gain[~empty] = -np.inf
        parts[group] = gain.argmax()
        missing[parts[group]] -= sums[group]
        empty[parts[group]] = False
    return parts[members]


def _by_combination(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Order the images by class combination, at random within each."""
    shuffle = np.random.default_rng(seed).permutation(len(labels))
    _, combination = np.unique(labels[shuffle], axis=0, return_inverse=True)
    return shuffle[np.argsort(combination.reshape(-1), kind="stable")]
