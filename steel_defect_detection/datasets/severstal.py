"""Severstal: hot-rolled steel strip, 1600 x 256 pixels, four defect classes.

A folder of the Kaggle competition holds ``train_images/`` and ``train.csv``.
The table exists in two forms, both are read:

* ``ImageId,ClassId,EncodedPixels``: one row per image and class that occurs;
* ``ImageId_ClassId,EncodedPixels``: four rows per image, ``name.jpg_1`` to
  ``name.jpg_4``, empty where the class does not occur (before November 2019).

Images without a row are free of defects. Masks are run lengths (see ``rle``).

Source: https://www.kaggle.com/c/severstal-steel-defect-detection
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, rle
from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import (
    AnnotationError,
    DatasetNotFoundError,
    RunLengthError,
)

CLASSES = ("defect_1", "defect_2", "defect_3", "defect_4")
SHAPE = (256, 1600)
"""Height and width of every image of the competition, in pixels."""

NEW_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
OLD_COLUMNS = ("ImageId_ClassId", "EncodedPixels")
_PAIRS = re.compile(r"\s*[1-9]\d* [1-9]\d*(?: [1-9]\d* [1-9]\d*)*\s*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of ``train.csv``: the runs of one class in one image."""

    place: str
    image: str
    class_number: int
    runs: str


@dataclass(frozen=True)
class RunLengthMasks:
    """Masks of one image, still as rows of ``train.csv``."""

    rows: tuple[Row, ...]

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Decode the runs into masks, bool, shape ``(4, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.

        Raises:
            AnnotationError: If a run names a pixel outside the image.
        """
        masks = np.zeros((len(CLASSES), *shape), dtype=np.bool_)
        for row in self.rows:
            try:
                masks[row.class_number - 1] = rle.decode(row.runs, shape)
            except RunLengthError as error:
                msg = f"{row.place} ({row.image}, class {row.class_number}): {error}"
                raise AnnotationError(msg) from error
        return masks


def read(folder: Path | str) -> Dataset:
    """Read a folder of the Kaggle competition.

    Args:
        folder: Folder with ``train_images/`` and ``train.csv``.

    Returns:
        All images of ``train_images/``, sorted by name, with four classes.

    Raises:
        DatasetNotFoundError: If the folder, the table or the images are missing.
        AnnotationError: If rows are malformed, repeat each other or name
            images that are not there; up to ten problems at once.
    """
    folder = Path(folder)
    paths = _image_paths(folder)
    entries = [Entry(name=name, path=path) for name, path in paths.items()]
    return annotate(entries, folder / "train.csv", "train_images")


def annotate(entries: Sequence[Entry], table: Path, source: str) -> Dataset:
    """Give images the masks of a table; images without a row are free of defects.

    Args:
        entries: The images, by name.
        table: A ``train.csv`` in either form.
        source: Where the images come from, for messages.

    Raises:
        AnnotationError: If rows are malformed, repeat each other or name
            images that are not there; up to ten problems at once.
    """
    problems: list[str] = []
    rows = list(_read_rows(table, problems))
    problems += _repetitions(rows)
    orphans = sorted({row.image for row in rows}.difference(entry.name for entry in entries))
    if orphans:
        problems.append(
            f"{len(orphans)} images of {table.name} are not in {source}, "
            f"first: {', '.join(orphans[:3])}"
        )
    refuse(problems)
    return _assemble(entries, [row for row in rows if row.runs])


def names_in(table: Path) -> tuple[str, ...]:
    """Names of the images that have rows in a ``train.csv``, sorted.

    Raises:
        AnnotationError: If the file is no such table.
    """
    return tuple(sorted({row.image for row in _read_rows(table, [])}))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like one of the competition, be it without its table."""
    return (folder / "train_images").is_dir()


def _image_paths(folder: Path) -> dict[str, Path]:
    """Images directly in ``train_images``, by name; the table knows no folders below it."""
    for name, is_there in (("train.csv", Path.is_file), ("train_images", Path.is_dir)):
        if not is_there(folder / name):
            msg = (
                f"no Severstal data in {str(folder)!r}: {name} is missing. "
                "Download it with: sdd-download severstal, which makes data/severstal"
            )
            raise DatasetNotFoundError(msg)
    paths = {
        path.name: path
        for path in sorted((folder / "train_images").iterdir())
        if path.suffix.lower() in images.EXTENSIONS and not path.name.startswith(".")
    }
    if not paths:
        msg = f"no images in {str(folder / 'train_images')!r}"
        raise DatasetNotFoundError(msg)
    return paths


def _read_rows(table: Path, problems: list[str]) -> Iterator[Row]:
    """Yield the sound rows and add a line to the problems for each other one."""
    for line in tables.read(table, NEW_COLUMNS, OLD_COLUMNS):
        try:
            yield _row(table.name, line)
        except AnnotationError as error:
            problems.append(str(error))


def _row(table: str, line: tables.Line) -> Row:
    place, cells = f"{table} line {line.number}", line.cells
    if not cells:
        msg = f"{place}: the count of cells differs from the header's"
        raise AnnotationError(msg)
    if "ClassId" in cells:
        image, number = cells["ImageId"], cells["ClassId"]
    else:
        image, _, number = cells["ImageId_ClassId"].rpartition("_")
    runs = cells["EncodedPixels"].strip()
    if number not in {"1", "2", "3", "4"}:
        msg = f"{place}: class {number!r}, but Severstal has classes 1 to 4"
        raise AnnotationError(msg)
    if not runs and "ClassId" in cells:
        msg = f"{place}: no runs, but a row here means that the class occurs"
        raise AnnotationError(msg)
    if runs and not _PAIRS.fullmatch(runs):
        msg = f"{place}: {_fault(runs)}"
        raise AnnotationError(msg)
    return Row(place=place, image=image, class_number=int(number), runs=runs)


def _fault(runs: str) -> str:
    """Let the decoder say what is wrong with a string of runs."""
    try:
        rle.decode(runs, SHAPE)
    except RunLengthError as error:
        return str(error)
    return f"expected single spaces between the numbers of {runs[:40]!r}"


def _repetitions(rows: list[Row]) -> list[str]:
    first: dict[tuple[str, int], Row] = {}
    problems = []
    for row in rows:
        earlier = first.setdefault((row.image, row.class_number), row)
        if earlier is not row:
            problems.append(
                f"{row.place}: class {row.class_number} of {row.image} "
                f"stands already in {earlier.place}"
            )
    return problems


def _assemble(entries: Sequence[Entry], rows: list[Row]) -> Dataset:
    by_image: dict[str, list[Row]] = {entry.name: [] for entry in entries}
    for row in rows:
        by_image[row.image].append(row)
    return Dataset(
        classes=CLASSES,
        entries=tuple(_annotated(entry, tuple(by_image[entry.name])) for entry in entries),
    )


def _annotated(entry: Entry, rows: tuple[Row, ...]) -> Entry:
    found = {row.class_number for row in rows}
    labels = tuple(number in found for number in range(1, len(CLASSES) + 1))
    return replace(entry, labels=labels, masks=RunLengthMasks(rows))
