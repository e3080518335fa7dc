"""Tables of text (csv) that belong to data sets."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from steel_defect_detection.errors import AnnotationError

# The runs of one large, ragged mask are longer than the csv module's usual limit.
_LONGEST_CELL = 2**31 - 1


class Line(NamedTuple):
    """One row of a table.

    Args:
        number: Line of the file in which the row ends, counted from 1.
        cells: Content by name of the column; empty if the row has another
            number of cells than the table has columns.
    """

    number: int
    cells: dict[str, str]


def columns(path: Path) -> tuple[str, ...]:
    """Read the names of a table's columns.

    Raises:
        AnnotationError: If the file is no table of text in UTF-8.
    """
    return next(_rows(path), (0, ()))[1]


def read(path: Path, *accepted: tuple[str, ...]) -> Iterator[Line]:
    """Read a table row by row.

    Args:
        path: The file, UTF-8, the first line naming the columns, parted by commas
            or all by semicolons.
        *accepted: The ways in which the columns may be named; further columns
            may follow. None: the names are up to the file.

    Raises:
        AnnotationError: If the file is no table of text in UTF-8, or has other
            columns.
    """
    rows = _rows(path)
    names = next(rows, (0, ()))[1]
    if accepted and not any(names[: len(way)] == way for way in accepted):
        ways = " or ".join(repr(",".join(way)) for way in accepted)
        msg = f"{path} has the columns {','.join(names)!r}, expected {ways}"
        raise AnnotationError(msg)
    for number, cells in rows:
        fits = len(cells) == len(names)
        yield Line(number, dict(zip(names, cells, strict=True)) if fits else {})


def groups(path: Path, *names: str) -> dict[str, str]:
    """Read which images belong together, from a table with a column ``group``.

    Args:
        path: The table; one that is not there says nothing, nor does one with a
            column ``image``, unless that is asked for: ``origins`` reads it.
        *names: Columns that, joined by ``/``, name the image.

    Returns:
        Group by name of the image.

    Raises:
        AnnotationError: If the table is malformed.
    """
    if not path.is_file() or ("image" in columns(path) and "image" not in names):
        return {}
    found = {}
    for number, cells in read(path):
        try:
            found["/".join(cells[name] for name in names)] = cells["group"]
        except KeyError as error:
            msg = f"{path} line {number}: expected the columns {', '.join(names)} and group"
            raise AnnotationError(msg) from error
    return found


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            # As Excel saves where a comma stands in numbers.
            semicolons = ";" in first and "," not in first
            reader = csv.reader(file, delimiter=";" if semicolons else ",")
            for cells in reader:
                if cells:
                    yield reader.line_num, tuple(cells)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise AnnotationError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is no table of text in UTF-8: {error}"
        raise AnnotationError(msg) from error
