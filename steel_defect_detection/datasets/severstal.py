"""Severstal: hot-rolled steel strip, 1600 x 256 pixels, four defect classes.

A folder of the Kaggle competition holds ``train_images/`` and ``train.csv``.
The table exists in two forms, both are read:

* ``ImageId,ClassId,EncodedPixels``: one row per image and class that occurs;
* ``ImageId_ClassId,EncodedPixels``: four rows per image, ``name.jpg_1`` to
  ``name.jpg_4``, empty where the class does not occur (before November 2019).

Images without a row are free of defects. Masks are run lengths (see ``rle``).

Source: https://www.kaggle.com/c/severstal-steel-defect-detection
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, rle
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import (
    AnnotationError,
    DatasetNotFoundError,
    RunLengthError,
)

CLASSES = ("defect_1", "defect_2", "defect_3", "defect_4")

_NEW_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
_OLD_COLUMNS = ("ImageId_ClassId", "EncodedPixels")
_PAIRS = re.compile(r"\s*[1-9]\d* [1-9]\d*(?: [1-9]\d* [1-9]\d*)*\s*", re.ASCII)
_MOST_PROBLEMS = 10
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of ``train.csv``: the runs of one class in one image."""

    line: int
    image: str
    class_number: int
    runs: str

    @property
    def place(self) -> str:
        """Where the row stands, for messages."""
        return f"train.csv line {self.line}"


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
    table = folder / "train.csv"
    paths = _image_paths(folder)
    problems: list[str] = []
    try:
        rows = list(_rows(table, problems))
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{table} is no table of text in UTF-8: {error}"
        raise AnnotationError(msg) from error
    problems += _repetitions(rows) + _orphans(rows, paths)
    if problems:
        shown = problems[:_MOST_PROBLEMS]
        left = len(problems) - len(shown)
        msg = "; ".join(shown) + (f"; and {left} more problems" if left else "")
        raise AnnotationError(msg)
    return _assemble(paths, [row for row in rows if row.runs])


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like one of the competition."""
    return (folder / "train.csv").is_file() and (folder / "train_images").is_dir()


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


def _rows(table: Path, problems: list[str]) -> Iterator[Row]:
    """Yield the sound rows and add a line to the problems for each other one."""
    # The runs of one large, ragged mask are longer than the module's usual limit.
    csv.field_size_limit(_LONGEST_CELL)
    with table.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = tuple(reader.fieldnames or ())
        if columns not in (_NEW_COLUMNS, _OLD_COLUMNS):
            msg = (
                f"{table} has the columns {','.join(columns)!r}, expected "
                f"{','.join(_NEW_COLUMNS)!r} or {','.join(_OLD_COLUMNS)!r}"
            )
            raise AnnotationError(msg)
        for cells in reader:
            try:
                yield _row(reader.line_num, cells)
            except AnnotationError as error:
                problems.append(str(error))


def _row(line: int, cells: dict[str, str | None]) -> Row:
    if None in cells or None in cells.values():
        msg = f"train.csv line {line}: the count of cells differs from the header's"
        raise AnnotationError(msg)
    if "ClassId" in cells:
        image, number = cells["ImageId"] or "", cells["ClassId"] or ""
    else:
        image, _, number = (cells["ImageId_ClassId"] or "").rpartition("_")
    runs = (cells["EncodedPixels"] or "").strip()
    if number not in {"1", "2", "3", "4"}:
        msg = f"train.csv line {line}: class {number!r}, but Severstal has classes 1 to 4"
        raise AnnotationError(msg)
    if not runs and "ClassId" in cells:
        msg = f"train.csv line {line}: no runs, but a row here means that the class occurs"
        raise AnnotationError(msg)
    if runs and not _PAIRS.fullmatch(runs):
        msg = f"train.csv line {line}: {_fault(runs)}"
        raise AnnotationError(msg)
    return Row(line=line, image=image, class_number=int(number), runs=runs)


def _fault(runs: str) -> str:
    """Let the decoder say what is wrong with a string of runs."""
    try:
        rle.decode(runs, (256, 1600))
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
                f"stands already in line {earlier.line}"
            )
    return problems


def _orphans(rows: list[Row], paths: dict[str, Path]) -> list[str]:
    missing = sorted({row.image for row in rows} - set(paths))
    if not missing:
        return []
    return [
        f"{len(missing)} images of train.csv are not in train_images, "
        f"first: {', '.join(missing[:3])}"
    ]


def _assemble(paths: dict[str, Path], rows: list[Row]) -> Dataset:
    by_image: dict[str, list[Row]] = {name: [] for name in paths}
    for row in rows:
        by_image[row.image].append(row)
    entries = []
    for name in sorted(paths):
        found = {row.class_number for row in by_image[name]}
        entries.append(
            Entry(
                name=name,
                path=paths[name],
                labels=tuple(number in found for number in range(1, len(CLASSES) + 1)),
                masks=RunLengthMasks(tuple(by_image[name])),
            )
        )
    return Dataset(classes=CLASSES, entries=tuple(entries))
