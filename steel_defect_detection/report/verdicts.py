"""What a report says about results of ``sdd-predict``: verdicts, pictures, classes, numbers."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from steel_defect_detection.report import what_if, words
from steel_defect_detection.report.album import Album
from steel_defect_detection.report.blocks import (
    Block,
    Cell,
    Column,
    Facts,
    Gallery,
    Histogram,
    Named,
    Note,
    Part,
    Shares,
    Shown,
    Table,
    Verdict,
    html_color,
)
from steel_defect_detection.report.judged import STAGES, Judged, Results
from steel_defect_detection.wording import amount

VERDICTS = ("defect", "unfamiliar", "error", "clean")
"""Verdicts in the order of how much they ask of a reader."""

_BINS = 10
# A hundred years: more is no time that a run took.
_LONGEST_RUN = 100 * 365 * 86_400
_GATE_COLOR = "#5b6b7b"
_STAGES = dict(zip(STAGES, ("reading", "whole image", "outlines"), strict=True))


def counts(results: Results) -> dict[str, int]:
    """How many images have each verdict; also those that none has."""
    found = Counter(image.verdict or "none" for image in results.images)
    return {name: found.pop(name, 0) for name in VERDICTS} | dict(sorted(found.items()))


def summary(results: Results, doubts: Sequence[str] = ()) -> Part:
    """How many images have which verdict, when, and by which thresholds.

    Args:
        results: The folder.
        doubts: What a reader should know before reading on.
    """
    found = counts(results)
    total = len(results.images)
    shown = {name: count for name, count in found.items() if count or name in {"defect", "clean"}}
    rows: list[list[Cell]] = [
        [Verdict(name), words.count(count), words.percent(count / total if total else math.nan)]
        for name, count in shown.items()
    ]
    columns = [Column("verdict"), Column("images", True), Column("share", True)]
    table = Table(caption=f"Verdicts on {amount(total, 'image')}", columns=columns, rows=rows)
    said = [*doubts, *([] if results.images else ["No image was judged yet."])]
    notes = [Note(text=text, is_warning=True) for text in said]
    bar = [Shares(counts=shown)] if total else []
    return Part(title="Verdicts", blocks=[*notes, *bar, table, Facts(items=_run_facts(results))])


def worst(results: Results, album: Album, most: int) -> Part:
    """Pictures of the worst defects, largest share of the image first."""
    defects = [image for image in results.images if image.verdict == "defect"]
    defects.sort(key=lambda image: image.badness, reverse=True)
    if not defects:
        return Part(title="Worst images", blocks=[Note(text="No image has a defect.")])
    text = (
        f"{min(most, len(defects)):,} of {amount(len(defects), 'image')} with defects, by "
        "the share of the image that is defective, then by probability. Press a picture to see it "
        "larger."
    )
    gallery = Gallery(shown=[_shown(image, results, album) for image in defects[:most]])
    return Part(title="Worst images", blocks=[Note(text=text), gallery])


def unfamiliar(results: Results, album: Album, most: int) -> Part | None:
    """Pictures of images unlike those that the model knows; None if there are none."""
    strange = [image for image in results.images if image.verdict == "unfamiliar"]
    if not strange:
        return None
    strange.sort(key=lambda image: (math.isnan(image.familiarity), image.familiarity))
    text = (
        f"{min(most, len(strange)):,} of {amount(len(strange), 'image')} that the model was "
        "not made for, the least familiar first. What it says of them counts for little: somebody "
        "should look at them."
    )
    gallery = Gallery(shown=[_shown(image, results, album) for image in strange[:most]])
    return Part(title="Unfamiliar images", blocks=[Note(text=text, is_warning=True), gallery])


def errors(results: Results) -> Part | None:
    """Images that could not be judged; None if there are none."""
    failed = [image for image in results.images if image.verdict == "error"]
    if not failed:
        return None
    rows = [[image.name, words.one_line(image.error) or words.UNKNOWN] for image in failed]
    columns = [Column("image"), Column("what went wrong")]
    table = Table(caption="Images that could not be judged", columns=columns, rows=rows)
    return Part(title="Errors", blocks=[table])


def classes(results: Results, album: Album) -> Part:
    """What was found of each class."""
    areas = np.array([image.areas for image in results.images], dtype=np.float64)
    areas = areas.reshape(len(results.images), len(results.classes))
    surface = math.fsum(image.pixels for image in results.images if math.isfinite(image.area))
    pieces = [album.pieces(image) for image in results.images]
    known = [found for found in pieces if found is not None]
    outlined = bool(np.isfinite(areas).any())
    is_complete = outlined and len(known) == len(pieces)
    defects = np.sum(known, axis=0) if is_complete else np.full(len(results.classes), math.nan)
    rows: list[list[Cell]] = []
    for number, name in enumerate(results.classes):
        area = float(np.nansum(areas[:, number])) if outlined else math.nan
        shown = [image for image in results.images if _shows(image, number, name)]
        share = area / surface if surface else math.nan
        rows.append(
            [
                Named(name, html_color(results.color(number))),
                words.count(len(shown)),
                words.count(float(defects[number])),
                words.count(area),
                words.percent(share),
            ]
        )
    titles = ("images", "defects", "pixels", "share")
    columns = [Column("class"), *(Column(title, True) for title in titles)]
    note = Note(
        text="A defect is a connected outline, and the share is that of all that was judged. An "
        "image may show several classes."
    )
    table = Table(caption="Defects by class", columns=columns, rows=rows)
    return Part(title="Classes", blocks=[table, note])


def histograms(results: Results) -> Part | None:
    """How probable each class and any defect are on the images; None if nobody says."""
    gate = [image.gate_probability for image in results.images]
    present = what_if.deciding(results)
    found: list[Block] = []
    if any(map(math.isfinite, gate)):
        found.append(
            Histogram(title="any defect", counts=_binned(gate), color=_GATE_COLOR, mark=present)
        )
    for number, name in enumerate(results.classes):
        scores = [image.scores[number] for image in results.images]
        if any(map(math.isfinite, scores)):
            color = html_color(results.color(number))
            found.append(Histogram(title=name, counts=_binned(scores), color=color))
    note = Note(text="Images by probability, from 0 on the left to 1 on the right.")
    return Part(title="Probabilities", blocks=[note, *found]) if found else None


def thresholds(results: Results) -> Part | None:
    """What other thresholds would do; None if verdicts do not rest on one."""
    present = what_if.deciding(results)
    if present is None:
        return None
    rows: list[list[Cell]] = []
    marked = []
    for row, outcome in enumerate(what_if.outcomes(results, present)):
        called = words.count(outcome.least)
        if outcome.most > outcome.least:
            called += f" to {words.count(outcome.most)}"
        marked += [row] if outcome.is_present else []
        name = f"{outcome.threshold:g}" + (" (present)" if outcome.is_present else "")
        rows.append([name, words.count(outcome.reached), called])
    columns = [Column("threshold"), Column("images that reach it", True)]
    columns.append(Column("would be called defects", True))
    table = Table(
        caption="If the threshold of any defect were another",
        columns=columns,
        rows=rows,
        marked=frozenset(marked),
    )
    text = (
        "Below the present threshold there is a least and a most number, because what would be "
        "outlined on images that were not outlined is not known. How often a verdict is right, no "
        "threshold says: that takes labelled images, and sdd-calibrate."
    )
    return Part(title="Other thresholds", blocks=[table, Note(text=text)])


def times(results: Results) -> Part | None:
    """How long it took; None if nobody says."""
    facts = {}
    for stage, name in _STAGES.items():
        known = [image.milliseconds[stage] for image in results.images]
        known = [value for value in known if math.isfinite(value)]
        if known:
            median = f"{float(np.median(known)):,.1f} ms in the middle"
            facts[name] = f"{median}, of {amount(len(known), 'image')}"
    seconds = results.about("seconds")
    if isinstance(seconds, int | float) and 0 < seconds < _LONGEST_RUN:
        facts["whole run"] = f"{seconds:,.1f} s, the start included"
        facts["images per second"] = f"{len(results.images) / seconds:,.2f}"
    return Part(title="Times", blocks=[Facts(items=facts)]) if facts else None


def everything(album: Album, most: int) -> Part:
    """All images, with small pictures of those that are not clean."""
    columns = [Column(name) for name in ("image", "verdict", "class", "picture")]
    titles = ("any defect", "certainty", "familiarity", "share")
    columns += [Column(title, True) for title in titles]
    rows: list[list[Cell]] = []
    left = most
    for image in album.leaf_through():
        small = album.small(image) if left > 0 and _asks(image) else None
        left -= small is not None
        numbers = (image.gate_probability, image.certainty, image.familiarity)
        rows.append(
            [
                image.name,
                Verdict(image.verdict or "none"),
                image.class_name or words.UNKNOWN,
                small,
                *map(words.number, numbers),
                words.percent(image.share),
            ]
        )
    table = Table(
        caption=amount(len(rows), "image"),
        columns=columns,
        rows=rows,
        is_folded=True,
        is_sortable=True,
    )
    note = Note(text="Pictures are of images that are not clean. Open the table to see or sort it.")
    return Part(title="All images", blocks=[note, table])


def _asks(image: Judged) -> bool:
    return image.verdict in {"defect", "unfamiliar"}


def _run_facts(results: Results) -> dict[str, str]:
    record = results.folder / "run.json"
    facts = {}
    if record.is_file():
        written = datetime.fromtimestamp(record.stat().st_mtime, UTC)
        facts["results written"] = f"{written:%Y-%m-%d %H:%M} UTC"
    gate = results.threshold("gate")
    if what_if.deciding(results) is not None and math.isfinite(gate):
        facts["threshold of any defect"] = f"{what_if.deciding(results):g}"
    for name, title in (("pixels", "thresholds of pixels"), ("min_areas", "least areas, pixels")):
        values = results.about("thresholds", name)
        if isinstance(values, list) and len(values) == len(results.classes):
            named = zip(results.classes, values, strict=True)
            facts[title] = words.joined(
                [f"{class_} {words.number(value)}" for class_, value in named]
            )
    if results.threshold("familiarity") > 0:
        facts["least familiarity"] = f"{results.threshold('familiarity'):g}"
    flips = results.about("options", "flips")
    if isinstance(flips, str) and flips != "none":
        facts["flips"] = flips
    return facts


def _shown(image: Judged, results: Results, album: Album) -> Shown:
    return Shown(
        title=image.name,
        picture=album.large(image),
        verdict=image.verdict,
        lines=_lines(image, results),
    )


def _lines(image: Judged, results: Results) -> Sequence[str]:
    lines = []
    for name, area in zip(results.classes, image.areas, strict=True):
        if area > 0:
            lines.append(
                f"{name}: {amount(int(area), 'pixel')}, {words.percent(area / image.pixels)}"
            )
    if not lines and image.class_name:
        lines.append(image.class_name)
    numbers = {
        "any defect": image.gate_probability,
        "certainty": image.certainty,
        "familiarity": image.familiarity,
    }
    known = [f"{name} {value:.3g}" for name, value in numbers.items() if math.isfinite(value)]
    return [*lines, *([", ".join(known)] if known else [])]


def _shows(image: Judged, number: int, name: str) -> bool:
    """Whether a class is outlined on an image, or what it is called where nothing is outlined."""
    area = image.areas[number]
    return image.class_name == name if math.isnan(area) else area > 0


def _binned(values: Sequence[float]) -> list[int]:
    known = [value for value in values if math.isfinite(value)]
    return [int(count) for count in np.histogram(known, bins=_BINS, range=(0, 1))[0]]
