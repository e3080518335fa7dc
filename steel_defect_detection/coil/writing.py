"""The files of a coil.

::

    OUTPUT/
    ├── coil.html         map and tables as one page, to be opened anywhere
    ├── coil.svg          the map alone
    ├── coil.json         everything in numbers
    ├── defects.csv       one row per defect, in their order along the coil
    ├── recurrences.csv   one row per mark that comes again
    ├── metres.csv        count and area per metre (or 1,000 pixels) and class
    └── zones.csv         likewise per part of the width

Lengths are in the unit that ends a column's name, ``mm`` or ``px``. Tables and JSON
keep names as ``images.csv`` has them, so that they can be joined; page and map make
all letters of them visible.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from steel_defect_detection import files
from steel_defect_detection.coil import page
from steel_defect_detection.coil.map import map_svg
from steel_defect_detection.coil.report import Report
from steel_defect_detection.coil.units import Units
from steel_defect_detection.coil.zones import Bins
from steel_defect_detection.errors import ResultsError

NAMES = (
    "coil.html",
    "coil.svg",
    "coil.json",
    "defects.csv",
    "recurrences.csv",
    "metres.csv",
    "zones.csv",
)
"""Names of the files."""


def write(report: Report, output: str | Path, *, title: str = "Coil") -> None:
    """Write the files of a coil; those of an earlier one are replaced one by one.

    Args:
        report: What is said of it.
        output: Their folder.
        title: What the page is headed.

    Raises:
        ResultsError: If one cannot be written there.
    """
    output, unit = Path(output), Units(report.coil.mm_per_pixel).name
    files.write_table(output / "defects.csv", _defect_columns(unit), _defects(report))
    columns = tuple(f"{one}_{unit}" if one in _LENGTHS else one for one in _RECURRENCE)
    rows = [[fact[one] for one in _RECURRENCE] for fact in report.facts()["recurrences"]]
    files.write_table(output / "recurrences.csv", columns, rows)
    columns = (f"from_{unit}", f"to_{unit}", "seen_share", "class", "count", "area_pixels")
    for name, bins in (("metres.csv", report.metres), ("zones.csv", report.zones)):
        files.write_table(output / name, columns, _bins(bins, report))
    text = json.dumps(report.facts(), allow_nan=False)
    files.write_text(output / "coil.json", f"{text}\n")
    svg = map_svg(report.coil, report.search.recurrences)
    files.write_text(output / "coil.svg", svg)
    files.write_text(output / "coil.html", page.html(report, title, svg))


def refuse_foreign(output: str | Path) -> None:
    """Refuse a folder in which files of somebody else would be replaced.

    Args:
        output: Folder of the files.

    Raises:
        ResultsError: If one of them is there and no earlier coil left it.
    """
    output = Path(output)
    there = [name for name in NAMES if (output / name).exists()]
    if there and not _is_coil(output / "coil.json"):
        msg = (
            f"{output / there[0]} is there already, and not from a coil: choose another --output, "
            "or add --overwrite"
        )
        raise ResultsError(msg)


def _is_coil(path: Path) -> bool:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and {"unit", "recurrences", "search"} <= found.keys()


_RECURRENCE = (
    "recurrence",
    "class",
    "period",
    "period_error",
    "phase",
    "first",
    "last",
    "scatter",
    "across",
    "across_scatter",
    "members",
    "places",
    "occupied",
    "false_alarm_probability",
    "roll_diameter",
    "images_per_period",
)
_LENGTHS = frozenset(_RECURRENCE[2:10]) | {"roll_diameter"}


def _defect_columns(unit: str) -> tuple[str, ...]:
    lengths = ("along", "across", "length", "width")
    named = tuple(f"{name}_{unit}" for name in lengths)
    return ("defect", "image", "class", *named, "area_pixels", "recurrence")


def _defects(report: Report) -> Iterator[Sequence[object]]:
    coil, units = report.coil, Units(report.coil.mm_per_pixel)
    defects = coil.defects
    member_of = np.zeros(len(defects), dtype=np.int64)
    for number, one in enumerate(report.search.recurrences, start=1):
        member_of[one.members] = number
    columns = (
        defects.image.tolist(),
        defects.class_number.tolist(),
        defects.along.tolist(),
        defects.across.tolist(),
        defects.along_size.tolist(),
        defects.across_size.tolist(),
        defects.area.tolist(),
        member_of.tolist(),
    )
    for number, row in enumerate(zip(*columns, strict=True), start=1):
        image, class_number, *lengths, area, recurrence = row
        yield (
            number,
            coil.images[image],
            coil.classes[class_number - 1],
            *map(units.number, lengths),
            area,
            recurrence or "",
        )


def _bins(bins: Bins, report: Report) -> Iterator[Sequence[object]]:
    units = Units(report.coil.mm_per_pixel)
    edges = [units.number(edge) for edge in bins.edges.tolist()]
    for place, seen in enumerate(np.round(bins.seen, 6).tolist()):
        for name, count, area in zip(
            report.coil.classes,
            bins.counts[place].tolist(),
            bins.areas[place].tolist(),
            strict=True,
        ):
            yield edges[place], edges[place + 1], seen, name, count, area
