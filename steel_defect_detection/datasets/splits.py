"""Parts of a data set as they are kept: in a ``split.csv``, or as they were published.

``split.csv`` keeps a split: ``image,split,fold,group``, one row per image. With
folds the column ``split`` is empty; who reads it says which fold to validate on.
Images that have a split and no fold, say those kept back as ``test``, keep it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from steel_defect_detection import files
from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
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


def write(
    path: Path,
    parts: Mapping[str, str],
    *,
    fold_numbers: Mapping[str, int] | None = None,
    group_numbers: Mapping[str, int] | None = None,
) -> None:
    """Write ``split.csv``.

    Args:
        path: The file to write.
        parts: ``train``, ``validation`` or ``test`` by image name; empty names
            where there are folds.
        fold_numbers: Number of the fold by image name.
        group_numbers: Number of the group by image name.
    """
    folds, groups = fold_numbers or {}, group_numbers or {}
    rows = (
        (image, part, folds.get(image, ""), groups.get(image, "")) for image, part in parts.items()
    )
    files.write_table(path, COLUMNS, rows)


def is_split(path: Path) -> bool:
    """Whether a file is a ``split.csv``, by its first line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline().strip().replace(";", ",").split(",")
    except (OSError, ValueError):
        return False
    return first[:2] == list(COLUMNS[:2])


def read(
    path: Path | str, dataset: Dataset, *, fold: int | None = None, with_groups: bool = False
) -> dict[str, Dataset]:
    """Part a data set as a ``split.csv`` or its publisher says.

    Args:
        path: The file to read, or ``published`` for the parts that the data
            set came in, which are then called ``train``, ``validation`` and
            ``test``, however their publisher spells them.
        dataset: The data set that it parts; images that the file does not
            name belong to no part.
        fold: With folds: the one to validate on; the others are for training.
        with_groups: Whether images that the data set gives no group get the
            one that stands in the file.

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
    members: dict[str, list[Entry]] = {}
    for row in rows:
        entry = dataset.entries[number[row.image]]
        if with_groups:
            entry = _with_group(entry, row, path)
        members.setdefault(_part(row, fold), []).append(entry)
    return {part: replace(dataset, entries=tuple(found)) for part, found in members.items()}


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


def grouped(path: Path, dataset: Dataset) -> Dataset:
    """Give images that the data set gives no group the one that a ``split.csv`` has.

    Raises:
        AnnotationError: If the file is missing or malformed, or names an image
            that the data set does not have.
    """
    rows = {row.image: row for row in _rows(path, dataset)}
    entries = (
        _with_group(entry, rows[entry.name], path) if entry.name in rows else entry
        for entry in dataset.entries
    )
    return replace(dataset, entries=tuple(entries))


class _Row(NamedTuple):
    """One row of a manifest; it has a split, a fold, or both."""

    image: str
    split: str
    fold: int | None
    group: str


def _rows(path: Path, dataset: Dataset) -> Iterator[_Row]:
    """Yield the rows of a manifest that fits a data set."""
    if not path.is_file():
        msg = f"{str(path)!r} is no split.csv: there is no such file"
        raise AnnotationError(msg)
    if not {"image", "split"} <= set(tables.columns(path)):
        found = ",".join(tables.columns(path))
        msg = (
            f"{path} is no split.csv: its first line names the columns {found!r}, expected image "
            "and split among them"
        )
        raise AnnotationError(msg)
    # As they are written, and as they are: a written name is taken for the file that bears it.
    names = {files.as_text(name): name for name in dataset.names}
    names |= {name: name for name in dataset.names}
    seen: set[str] = set()
    for line in tables.read(path):
        row = _row(line, f"{path} line {line.number}")
        row = row._replace(image=names.get(row.image, row.image))
        if row.image not in names:
            near = get_close_matches(row.image.replace("\\", "/"), names, 1, 0.8)
            msg = f"{path} line {line.number} names {row.image!r}, which is not in the data"
            raise AnnotationError(msg + (f". Is {near[0]!r} meant?" if near else ""))
        if row.image in seen:
            msg = f"{path} line {line.number} names {row.image} a second time"
            raise AnnotationError(msg)
        seen.add(row.image)
        yield row
    if not seen:
        msg = f"{path} is no split.csv: it names no images"
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
    group = line.cells.get("group", "").strip()
    return _Row(line.cells["image"], split, int(fold) if fold else None, group)


def _with_group(entry: Entry, row: _Row, path: Path) -> Entry:
    if entry.group is not None or not row.group:
        return entry
    # Not the bare number: the data set may number groups of its own.
    return replace(entry, group=f"{path.name} {row.group}")


def _part(row: _Row, fold: int | None) -> str:
    if fold is None or row.fold is None:
        return row.split
    return "validation" if row.fold == fold else "train"
