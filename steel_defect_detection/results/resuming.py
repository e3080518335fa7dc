"""What an interrupted run finished, if it was the same run."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results import tables
from steel_defect_detection.results.naming import Names
from steel_defect_detection.results.tables import Rows

_WAY_OUT = "Take another folder, or leave --resume out to start from the beginning"

# What must be the same for the results of two runs to stand in one folder.
_SAME = {
    "model": "another model",
    "thresholds": "other thresholds or least areas, or another --only-named",
    "asked": "another runtime, precision or device",
    "options": "other outlines, overlays or probabilities, or another --on-unfamiliar or --flips",
}


def finished(
    output: Path,
    inputs: Iterable[tuple[Path, Names]],
    classes: tuple[str, ...],
    run: Mapping[str, Any],
) -> dict[int, Rows]:
    """Read what an earlier run left complete.

    Args:
        output: The results folder.
        inputs: All inputs in order, and what their results are called.
        classes: Names of the defect classes.
        run: What this run writes into ``run.json``.

    Returns:
        Rows of the tables by the number of the input; images that were errors
        and those whose mask is gone are not among them.

    Raises:
        ResultsError: If the folder holds the results of another model or other
            thresholds, or cannot be read.
    """
    if not (output / "images.csv").is_file():
        return {}
    try:
        record = (output / "run.json").read_text(encoding="utf-8")
    except (OSError, ValueError):
        record = ""
    refuse_other_run(record, str(output), classes, run)
    runs: dict[str, list[list[str]]] = {}
    for row in _read_rows(output / "predictions.csv", tables.PREDICTION_COLUMNS):
        runs.setdefault(row[0], []).append(row)
    rows = _read_rows(output / "images.csv", tables.image_columns(classes))
    earlier = {row[0]: row for row in rows if not row[-1]}
    found = {}
    for number, (path, names) in enumerate(inputs):
        earlier_row = earlier.get(files.as_text(str(path)))
        if earlier_row is None:
            continue
        rows_found = Rows(earlier_row, runs.get(files.as_text(names.image_id), []))
        if _belongs(rows_found, names, len(classes)) and _has_mask(output, rows_found):
            found[number] = rows_found
    return found


def _belongs(rows: Rows, names: Names, class_count: int) -> bool:
    """Whether rows still have an input's names, which change with those of other inputs."""
    outlined = sum(area not in {"", "0"} for area in tables.areas(rows.image, class_count))
    return rows.image[1] in {"", f"masks/{names.stem}.png"} and len(rows.predictions) == outlined


def _has_mask(output: Path, rows: Rows) -> bool:
    """Whether the mask that a row names is there; one without a mask lacks none."""
    return not rows.image[1] or (output / rows.image[1]).is_file()


def is_record(path: Path) -> bool:
    """Whether a file is a ``run.json`` that a run of this package has written.

    Args:
        path: The file.
    """
    try:
        return is_record_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def is_record_text(text: str) -> bool:
    """Whether a text is that of a ``run.json`` that a run of this package has written.

    Args:
        text: The text.
    """
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and {"classes", "counts"} <= found.keys()


def refuse_other_run(
    record: str, where: str, classes: tuple[str, ...], run: Mapping[str, Any]
) -> None:
    """Refuse results of another run to be gone on with.

    Args:
        record: Text of their ``run.json``.
        where: The results folder, for messages.
        classes: Names of this run's defect classes.
        run: What this run writes into ``run.json``.

    Raises:
        ResultsError: If they are of another model or other settings, or the
            record is none.
    """
    try:
        earlier = json.loads(record)
        earlier_classes = tuple(earlier["classes"])
        differs = [
            words for name, words in _SAME.items() if earlier.get(name) != _plain(run.get(name))
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"{where} cannot be resumed: run.json is missing or no record of a run. Take another "
            "folder, or remove this one"
        )
        raise ResultsError(msg) from error
    if earlier_classes != classes:
        differs.append("other classes")
    if differs:
        msg = f"{where} cannot be resumed: it holds results of {' and '.join(differs)}. {_WAY_OUT}"
        raise ResultsError(msg)


def _plain(value: object) -> object:
    """A value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _read_rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Read a table as it stands there, cell by cell."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # One class may cover every other pixel of a large image.
            csv.field_size_limit(2**31 - 1)
            header, *rows = csv.reader(file)
    except (OSError, ValueError, csv.Error) as error:
        msg = f"{path.parent} cannot be resumed: {path.name} cannot be read ({error}). {_WAY_OUT}"
        raise ResultsError(msg) from error
    if tuple(header) != tuple(columns):
        msg = f"{path.parent} cannot be resumed: {path.name} has other columns. {_WAY_OUT}"
        raise ResultsError(msg)
    # A row that was cut short was not finished.
    return [row for row in rows if len(row) == len(columns)]
