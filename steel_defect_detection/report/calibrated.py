"""What a report says about a folder of ``sdd-calibrate --output``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection.report import measured, words
from steel_defect_detection.report.blocks import Block, Column, Facts, Note, Part, Section, Table

_CHARTS = {
    "thresholds.png": "What each threshold would do",
    "reliability.png": "How often probabilities are right",
}


def section(folder: Path) -> Section:
    """Say what a calibration found.

    Args:
        folder: The folder.

    Raises:
        ResultsError: If one of its files cannot be read.
    """
    found = measured.read_object(folder / "calibration.json", again="sdd-calibrate")
    about = measured.mapping(found.get("calibration"))
    problems: list[tuple[str, str]] = []
    parts = [_summary(about), *_thresholds(folder, measured.objects(found.get("operating_points")))]
    parts += measured.drawn(folder, charts=_CHARTS, sheets={}, problems=problems)
    return Section(
        title="Calibration",
        source=str(folder),
        parts=parts,
        facts={"images": about.get("images"), "thresholds": found.get("thresholds")},
        problems=problems,
    )


def _summary(about: Mapping[str, Any]) -> Part:
    measures = measured.mapping(about.get("metrics"))
    everything = {**{name: about[name] for name in about if name != "metrics"}, **measures}
    items = {
        name.replace("_", " "): words.number(value)
        for name, value in everything.items()
        if value != ""
    }
    return Part(title="Labelled images", blocks=[Facts(items=items)])


def _thresholds(folder: Path, points: Sequence[Mapping[str, Any]]) -> list[Part]:
    blocks: list[Block] = []
    if points:
        blocks += [_chosen(points), Note(text=_MEANING)]
    tried = folder / "thresholds.csv"
    rows = measured.read_table(tried) if tried.is_file() else []
    if rows:
        caption = f"All thresholds that were tried: {len(rows):,}"
        blocks.append(measured.rows_table(caption, rows, folded=True))
    return [Part(title="Thresholds", blocks=blocks)] if blocks else []


_MEANING = (
    "Overkill: the share of good images that are stopped. Underkill: the share of defective ones "
    "that are passed. In brackets the 95 % interval."
)


def _chosen(points: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            words.number(point.get("name")),
            words.number(point.get("threshold")),
            *(_share(point, name) for name in ("overkill", "underkill")),
        ]
        for point in points
    ]
    titles = ("threshold", "overkill", "underkill")
    columns = [Column("decision"), *(Column(title, True) for title in titles)]
    return Table(caption="The thresholds that the model has", columns=columns, rows=rows)


def _share(point: Mapping[str, Any], name: str) -> str:
    value, interval = point.get(name), point.get(f"{name}_interval")
    if value is None or not _is_share(value):
        return words.UNKNOWN
    ends = interval if isinstance(interval, list) else []
    said = [words.percent(end) for end in ends if _is_share(end)]
    return words.percent(value) + (f" ({' to '.join(said)})" if said else "")


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
