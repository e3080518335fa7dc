"""What a report says about a folder of ``sdd-evaluate --output``."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection.errors import ImageError, ResultsError
from steel_defect_detection.report import pictures, words
from steel_defect_detection.report.blocks import (
    Block,
    Column,
    Gallery,
    Note,
    Part,
    Section,
    Shown,
    Table,
)
from steel_defect_detection.wording import amount

_SECTIONS = {
    "any_defect": "Defect or clean",
    "classes": "Classes",
    "outlines": "Outlines",
    "outlines_with_tolerance": "Outlines, with a tolerance",
}
_PER_CLASS = "per_class"

_CHARTS = {"confusion.png": "Actual classes (rows) and predicted ones (columns)"}
_SHEETS = {
    "single.png": "One image: truth and prediction",
    "batch.png": "Random images: truth and prediction",
    "suspects.png": "Suspicious labels",
}


def section(folder: Path, *, worst: int) -> Section:
    """Say what an evaluation found.

    Args:
        folder: The folder.
        worst: Most images to name as the worst.

    Raises:
        ResultsError: If a file of it cannot be read.
    """
    found = read_object(folder / "evaluation.json", again="sdd-evaluate")
    problems: list[tuple[str, str]] = []
    parts = [*_measures(found), *_worst(found, worst), *_unreadable(found)]
    parts += [*_suspects(folder / "suspects.csv"), *_timing(folder / "timing.json")]
    parts += drawn(folder, charts=_CHARTS, sheets=_SHEETS, problems=problems)
    facts = {"images": len(objects(found.get("images")))} | {
        name: value for name, value in mapping(found.get("measures")).items() if name in _SECTIONS
    }
    return Section(
        title="Evaluation", source=str(folder), parts=parts, facts=facts, problems=problems
    )


def drawn(
    folder: Path,
    *,
    charts: Mapping[str, str],
    sheets: Mapping[str, str],
    problems: list[tuple[str, str]],
) -> list[Part]:
    """Show the pictures that a folder has.

    Args:
        folder: The folder.
        charts: What pictures of letters and lines show, by their files.
        sheets: What sheets of photographs show, by their files.
        problems: Gets what is wrong with files that are there.

    Returns:
        One part, or none if there are no pictures.
    """
    shown = []
    for name, title in {**charts, **sheets}.items():
        path = folder / name
        if not path.is_file():
            continue
        try:
            read = pictures.chart if name in charts else pictures.sheet
            shown.append(Shown(title=title, picture=read(path, f"{title} ({name})")))
        except ImageError as error:
            problems.append((str(path), str(error)))
    return [Part(title="Pictures", blocks=[Gallery(shown=shown, is_single=True)])] if shown else []


def _measures(found: Mapping[str, Any]) -> list[Part]:
    parts = []
    definitions = mapping(found.get("definitions"))
    for name, title in _SECTIONS.items():
        values = mapping(mapping(found.get("measures")).get(name))
        if values:
            meanings = mapping(definitions.get(name))
            blocks: list[Block] = [_table("Measures", values, meanings)]
            blocks += _by_class(mapping(values.get(_PER_CLASS)))
            parts.append(Part(title=title, blocks=blocks))
    return parts


def _table(title: str, values: Mapping[str, Any], meanings: Mapping[str, Any]) -> Table:
    rows = [
        [_words(name), words.number(value), str(meanings.get(name, ""))]
        for name, value in values.items()
        if name != _PER_CLASS
    ]
    columns = [Column("measure"), Column("value", True), Column("what it means")]
    return Table(caption=title, columns=columns, rows=rows)


def _by_class(values: Mapping[str, Any]) -> list[Block]:
    lines = {name: mapping(line) for name, line in values.items()}
    titles = list(dict.fromkeys(title for line in lines.values() for title in line))
    if not titles:
        return []
    rows = [
        [name, *(words.number(line.get(title)) for title in titles)] for name, line in lines.items()
    ]
    columns = [Column("class"), *(Column(_words(title), True) for title in titles)]
    return [Table(caption="Class by class", columns=columns, rows=rows)]


def _worst(found: Mapping[str, Any], most: int) -> list[Part]:
    rows = objects(found.get("images"))
    wrong = [row for row in rows if row.get("right") is False or _below_one(row.get("dice"))]
    if not rows:
        return []
    if not wrong:
        return [Part(title="Worst images", blocks=[Note(text="No image is wrong.")])]
    return [
        Part(
            title="Worst images",
            blocks=[
                Note(
                    text=f"{min(most, len(wrong)):,} of {amount(len(wrong), 'image')} that "
                    "are not wholly right."
                ),
                rows_table("The worst first", wrong[:most]),
            ],
        )
    ]


def read_object(path: Path, *, again: str) -> dict[str, Any]:
    """Read a JSON file.

    Args:
        path: The file.
        again: The command that would write it again.

    Returns:
        What it holds; nothing if it is not there.

    Raises:
        ResultsError: If it cannot be read, or is no object.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} cannot be read: {error}. Run {again} again"
        raise ResultsError(msg) from error
    if not isinstance(found, dict):
        msg = f"{path} was not written by {again}: expected an object, got {type(found).__name__}"
        raise ResultsError(msg)
    return found


def mapping(value: object) -> Mapping[str, Any]:
    """Values by name, and none if it is something else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Mapping[str, Any]]:
    """Those parts of a list that have values by name, and none if it is no list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def rows_table(caption: str, rows: Sequence[Mapping[str, Any]], *, folded: bool = False) -> Table:
    """Put rows with names into a table.

    Args:
        caption: What they are.
        rows: Values by name of the column.
        folded: Whether the table is closed until a reader opens it.
    """
    titles = list(dict.fromkeys(title for row in rows for title in row))
    numeric = {
        title: any(isinstance(row.get(title), int | float) for row in rows) for title in titles
    }
    return Table(
        caption=caption,
        columns=[Column(_words(title), numeric[title]) for title in titles],
        rows=[[words.number(row.get(title)) for title in titles] for row in rows],
        is_folded=folded,
        is_sortable=True,
    )


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read a table (csv), with cells as numbers where they are some.

    Args:
        path: The file.

    Raises:
        ResultsError: If it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        msg = f"{path} cannot be read: {error}"
        raise ResultsError(msg) from error
    # Cells beyond the titles have no name.
    return [
        {name: _cell(cell) for name, cell in row.items() if isinstance(name, str)} for row in rows
    ]


def _cell(text: str | None) -> object:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and "." not in text and "e" not in text else value


def _unreadable(found: Mapping[str, Any]) -> list[Part]:
    rows = objects(found.get("unreadable"))
    if not rows:
        return []
    table = rows_table("Images that could not be read, and are in no measure", rows)
    return [Part(title="Errors", blocks=[table])]


def _suspects(path: Path) -> list[Part]:
    if not path.is_file():
        return []
    rows = read_table(path)
    if not rows:
        return [Part(title="Suspicious labels", blocks=[Note(text="No label is suspicious.")])]
    table = rows_table("Labels that are probably wrong, the worst first", rows)
    return [Part(title="Suspicious labels", blocks=[table])]


def _timing(path: Path) -> list[Part]:
    found = read_object(path, again="sdd-evaluate")
    times = mapping(found.get("times"))
    if not times:
        return []
    stages = {name: mapping(line) for name, line in mapping(times.get("milliseconds")).items()}
    others = {name: value for name, value in times.items() if name != "milliseconds"}
    blocks: list[Block] = []
    if stages:
        rows = [{"milliseconds": name, **line} for name, line in stages.items()]
        blocks.append(rows_table("Milliseconds by stage", rows))
    blocks.append(_table("Measures", others, mapping(found.get("definitions"))))
    return [Part(title="Times", blocks=blocks)]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _below_one(value: object) -> bool:
    return isinstance(value, int | float) and value < 1
