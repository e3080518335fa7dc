"""Parts: the rows of some inputs each, as one Parquet file per unit of work.

A part has the columns of ``images.csv``, the ``image_id`` of ``predictions.csv``, and
a column ``runs_<class>`` for the run lengths of each class. It is written last of
all that belongs to its inputs: what is in a part is finished. Its name depends on
its inputs alone, so that a unit that is judged twice is there once.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from steel_defect_detection import extras, files
from steel_defect_detection.distributed.place import Place
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results import tables
from steel_defect_detection.results.naming import Names
from steel_defect_detection.results.tables import Rows

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "parts"

_TRIES = ".tries"

_TEXTS = frozenset({"file", "mask", "verdict", "class", "error"})


class Task(NamedTuple):
    """One input of a unit of work.

    Args:
        file: What it is called in the tables.
        address: Where it is.
        image_id: What ``predictions.csv`` calls it.
        stem: Name of its mask, without ending.
    """

    file: str
    address: str
    image_id: str
    stem: str

    @property
    def names(self) -> Names:
        """What its results are called."""
        return Names(self.image_id, self.stem)


def name(unit: Sequence[Task]) -> str:
    """Name of the part of a unit of work, below the results folder."""
    text = json.dumps([(task.file, task.stem) for task in unit])
    return f"{FOLDER}/{hashlib.sha256(text.encode()).hexdigest()[:24]}.parquet"


def tries(path: str) -> str:
    """Name of the file that counts how often a part was begun.

    Args:
        path: Name of the part.
    """
    return path.removesuffix(".parquet") + _TRIES


def forget_tries(place: Place) -> None:
    """Remove all counts of parts that were begun: who stopped them is not in them.

    Args:
        place: The results folder.

    Raises:
        ResultsError: If one cannot be removed.
    """
    for one in place.names(FOLDER):
        if one.endswith(_TRIES):
            place.remove(f"{FOLDER}/{one}")


def write(place: Place, path: str, classes: Sequence[str], rows: Sequence[Rows]) -> None:
    """Write a part.

    Args:
        place: The results folder.
        path: Its name, as ``name`` gives it.
        classes: Names of the defect classes.
        rows: What its inputs add to the tables.

    Raises:
        ResultsError: If that fails.
    """
    pyarrow = extras.load("pyarrow", extra="ray")
    parquet = extras.load("pyarrow.parquet", extra="ray")
    kinds = _kinds(classes)
    records = [_record(one, classes, kinds) for one in rows]
    table = pyarrow.Table.from_pylist(records, schema=_schema(kinds))
    buffer = BytesIO()
    parquet.write_table(table, buffer)
    place.write(path, buffer.getvalue())


def names(place: Place) -> list[str]:
    """List the parts that are there, sorted, below the results folder.

    Args:
        place: The results folder.
    """
    found = place.names(FOLDER)
    return [f"{FOLDER}/{one}" for one in found if one.endswith(".parquet")]


def read_all(place: Place, classes: Sequence[str]) -> dict[str, Rows]:
    """Read what all parts say.

    Args:
        place: The results folder.
        classes: Names of the defect classes.

    Returns:
        Rows by ``file``. Where an input is in two parts, because it was an error at
        first, the later verdict counts.

    Raises:
        ResultsError: If a part cannot be read, or has other columns.
    """
    found: dict[str, Rows] = {}
    for one in names(place):
        for rows in read(place, one, classes):
            file = rows.image[0]
            if file not in found or found[file].image[-1]:
                found[file] = rows
    return found


def read(place: Place, path: str, classes: Sequence[str]) -> list[Rows]:
    """Read a part back.

    Args:
        place: The results folder.
        path: Its name below that.
        classes: Names of the defect classes.

    Raises:
        ResultsError: If it is not there, cannot be read or has other columns.
    """
    pyarrow = extras.load("pyarrow", extra="ray")
    parquet = extras.load("pyarrow.parquet", extra="ray")
    data = place.read(path)
    if data is None:
        msg = f"{place.address}/{path} is not there any more"
        raise ResultsError(msg)
    try:
        table = parquet.read_table(BytesIO(data))
    except (OSError, pyarrow.ArrowException) as error:
        msg = f"{place.address}/{path} is no part of results: {error}. Remove it, and go on"
        raise ResultsError(msg) from error
    kinds = _kinds(classes)
    if table.schema.names != list(kinds):
        msg = f"{place.address}/{path} has the columns of another model. Take another folder"
        raise ResultsError(msg)
    return [_rows(record, classes) for record in table.to_pylist()]


def _kinds(classes: Sequence[str]) -> dict[str, str]:
    """What each column of a part holds, in order."""
    areas = {f"area_{one}" for one in classes}
    kinds = {
        column: "string" if column in _TEXTS else "int64" if column in areas else "float64"
        for column in tables.image_columns(classes)
    }
    return kinds | dict.fromkeys(["image_id", *(f"runs_{one}" for one in classes)], "string")


def _schema(kinds: Mapping[str, str]) -> "pa.Schema":
    pyarrow = extras.load("pyarrow", extra="ray")
    return pyarrow.schema([(one, pyarrow.type_for_alias(kind)) for one, kind in kinds.items()])


def _record(rows: Rows, classes: Sequence[str], kinds: Mapping[str, str]) -> dict[str, Any]:
    record: dict[str, Any] = {
        # Names need not be Unicode; files.write_table writes them in the same way.
        column: files.as_text(cell) if kind == "string" else _number(cell, kind)
        for (column, kind), cell in zip(kinds.items(), rows.image, strict=False)
    }
    runs = {int(number): text for _, number, text in rows.predictions}
    record["image_id"] = files.as_text(rows.predictions[0][0]) if runs else None
    return record | {f"runs_{one}": runs.get(number) for number, one in enumerate(classes, start=1)}


def _number(cell: str, kind: str) -> float | int | None:
    if not cell:
        return None
    return int(cell) if kind == "int64" else float(cell)


def _rows(record: dict[str, Any], classes: Sequence[str]) -> Rows:
    image = [_cell(record[column]) for column in tables.image_columns(classes)]
    predictions = [
        [str(record["image_id"]), str(number), str(record[f"runs_{one}"])]
        for number, one in enumerate(classes, start=1)
        if record[f"runs_{one}"] is not None
    ]
    return Rows(image, predictions)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return tables.number(value)
    return "" if value is None else str(value)
