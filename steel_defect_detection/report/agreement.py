"""Whether the files of a results folder agree with each other: record, tables and masks.

Each writes down the same images once more, so that what was cut, lost or
changed since can be seen. What does not agree is shown all the same.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.report import judged
from steel_defect_detection.report.album import Album
from steel_defect_detection.report.judged import Judged, Results
from steel_defect_detection.results import read_predictions
from steel_defect_detection.wording import amount

VERDICTS = frozenset({"defect", "unfamiliar", "error", "clean"})
"""What an image can be called."""


def doubts(results: Results, album: Album) -> list[str]:
    """Say why the numbers of results may not be those of their run.

    Args:
        results: The folder.
        album: Its masks.

    Returns:
        Sentences, each about one thing; none if all agrees.
    """
    return [*_record(results), *_table(results), *_predictions(results), *_masks(results, album)]


def remarks(results: Results) -> list[str]:
    """Say what else lies in a results folder: masks that a run of other images has left there.

    Args:
        results: The folder.
    """
    left = _of_no_row(results)
    if not left:
        return []
    return [
        f"masks/ holds {amount(len(left), 'file')} that no row of images.csv names, such as "
        f"{left[0]}: an earlier run of other images has left them."
    ]


def _record(results: Results) -> Iterator[str]:
    """What ``run.json`` counts, beside what the table has."""
    if not results.run:
        yield "There is no run.json that can be read: model and thresholds are not known."
        return
    rows, asked = len(results.images), results.about("counts", "asked")
    counted = results.about("counts", "images")
    done = counted if isinstance(counted, int) else rows
    if isinstance(asked, int) and asked > done:
        share = f"{done:,} of {amount(asked, 'image')} are judged"
        yield f"The run was interrupted, or still goes on: {share}."
    if done != rows:
        yield (
            f"The table does not agree with the run: images.csv has {amount(rows, 'row')}, "
            f"and run.json counts {amount(done, 'image')}. Run sdd-predict again."
        )
        return
    found = Counter(image.verdict for image in results.images)
    other = [
        name for name in sorted(VERDICTS) if _counted(results, name, found[name]) != found[name]
    ]
    if other:
        yield (
            "The table does not agree with the run: images.csv and run.json count other numbers "
            f"of {' and '.join(other)}. Run sdd-predict again."
        )


def _counted(results: Results, verdict: str, found: int) -> object:
    """How often ``run.json`` counts a verdict; it leaves out those that no image has."""
    return found if results.about("counts") is None else results.about("counts", verdict) or 0


def _table(results: Results) -> Iterator[str]:
    """Rows of ``images.csv`` that no run has written so."""
    cut = _cut_short(results.folder / "images.csv")
    if cut:
        yield f"images.csv is cut short or damaged: {cut}. Run sdd-predict again."
    strange = [image for image in results.images if image.verdict not in VERDICTS]
    if strange:
        yield f"images.csv gives no verdict, or an unknown one, for {_named(strange)}."
    files = Counter(image.file for image in results.images)
    twice = [image for image in results.images if files[image.file] > 1]
    if twice:
        yield f"images.csv has several rows for one image: {_named(twice)}."


def _cut_short(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    # One class may cover every other pixel of a large image.
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = (row for row in reader if row)
    header = next(rows)
    for row in rows:
        if len(row) != len(header):
            return (
                f"the row that ends in line {reader.line_num} has {len(row)} of {len(header)} cells"
            )
    return "" if text.endswith("\n") else "its last line does not end"


def _predictions(results: Results) -> Iterator[str]:
    """Classes found on each image, by the two tables."""
    if not (results.folder / "predictions.csv").is_file():
        return
    try:
        table = read_predictions(results.folder)
    except ResultsError as error:
        yield f"predictions.csv cannot be compared with images.csv: {error}."
        return
    outlined = Counter(
        (PurePosixPath(str(name)).name, _as_number(number))
        for name, number in zip(table["ImageId"], table["ClassId"], strict=True)
    )
    listed = Counter(
        (judged.last_part(image.file), str(number))
        for image in results.images
        for number, area in enumerate(image.areas, start=1)
        if area > 0
    )
    differing = sorted({name for name, _ in (outlined - listed) + (listed - outlined)})
    if differing:
        yield (
            "The tables do not agree: predictions.csv has other outlines than images.csv has areas "
            f"for {_listed(differing)}. Run sdd-predict again."
        )


def _as_number(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _masks(results: Results, album: Album) -> Iterator[str]:
    """Pixels of each class, by the table and by the masks."""
    outlined = [image for image in results.images if math.isfinite(image.area)]
    without = [image for image in outlined if image.mask is None]
    if 0 < len(without) < len(outlined):
        yield f"Some masks are not there: those of {_named(without)}."
    other = [image for image in outlined if _differs(image, album)]
    if other:
        yield (
            "The masks do not agree with the table: images.csv has other areas for "
            f"{_named(other)}. Run sdd-predict again."
        )
    broken = [image for image in results.images if image.mask and album.outlined(image) is None]
    if broken:
        yield f"Some masks cannot be read: those of {_named(broken)}."


def _of_no_row(results: Results) -> list[str]:
    """Names of the masks that belong to no image of the table."""
    named = {image.mask.name for image in results.images if image.mask}
    return sorted(
        path.name for path in (results.folder / "masks").glob("*.png") if path.name not in named
    )


def _differs(image: Judged, album: Album) -> bool:
    found = album.outlined(image)
    return found is not None and not np.array_equal(found.areas, image.areas)


def _named(found: Sequence[Judged]) -> str:
    return _listed([image.name for image in found])


def _listed(names: Sequence[str]) -> str:
    """Say how many there are, and name one."""
    return names[0] if len(names) == 1 else f"{amount(len(names), 'image')}, such as {names[0]}"
