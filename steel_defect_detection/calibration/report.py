"""What a calibration found, as files to read and to look at."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from steel_defect_detection import figures, files
from steel_defect_detection.calibration.calibrate import Calibrated
from steel_defect_detection.calibration.looks import GRID
from steel_defect_detection.calibration.operating_points import Aim, Decisions
from steel_defect_detection.figures import Plot
from steel_defect_detection.metrics.calibration import reliability

COLUMNS = (
    "name",
    "threshold",
    "chosen",
    "good",
    "overkill",
    "overkill_low",
    "overkill_high",
    "defective",
    "underkill",
    "underkill_low",
    "underkill_high",
    "cost",
)


def report(found: Calibrated) -> dict[str, Any]:
    """Everything as JSON can hold it.

    Args:
        found: The calibration.
    """
    header = found.checkpoint.header
    return {
        "calibration": None if header.calibration is None else header.calibration.model_dump(),
        "flips": header.flips,
        "thresholds": header.thresholds.model_dump(),
        "operating_points": found.points,
        "unreadable": [
            {"image": name, "error": message} for name, message in found.unreadable.items()
        ],
        "not_chosen": dict(found.not_chosen),
    }


def write(found: Calibrated, output: Path) -> list[Path]:
    """Write ``calibration.json``, ``thresholds.csv`` and the pictures that apply.

    ``reliability.png`` shows what was said with a probability beside how often it
    was so, ``thresholds.png`` what each threshold costs.

    Args:
        found: The calibration.
        output: Folder for them.

    Returns:
        What was written.

    Raises:
        ResultsError: If they cannot be written there.
    """
    paths = [output / "calibration.json", output / "thresholds.csv"]
    files.write_text(paths[0], json.dumps(report(found), indent=2, allow_nan=False) + "\n")
    files.write_table(paths[1], COLUMNS, list(rows(found)))
    pictures = {"reliability.png": list(_reliabilities(found)), "thresholds.png": _curves(found)}
    for name, panels in pictures.items():
        if panels:
            figures.write(output / name, figures.plots(panels))
            paths.append(output / name)
    return paths


def rows(found: Calibrated) -> Iterator[list[str]]:
    """Rows of ``thresholds.csv``: what each threshold does, and the chosen ones.

    Args:
        found: The calibration.

    Yields:
        Cells in the order of ``COLUMNS``.
    """
    thresholds = found.checkpoint.header.thresholds
    for decision in found.decisions:
        chosen = decision.threshold(thresholds)
        shown = [None, *GRID] if chosen is None else sorted({*GRID, chosen})
        for threshold in shown:
            point = decision.at(threshold)
            cost = None if threshold is None else _cost(decision, found.aim, threshold)
            yield [
                decision.name,
                "" if threshold is None else f"{threshold:.6g}",
                "yes" if threshold == chosen else "",
                *_cells(point, "good", "overkill"),
                *_cells(point, "defective", "underkill"),
                "" if cost is None else f"{cost:.6g}",
            ]


def _cells(point: dict[str, Any], count: str, share: str) -> list[str]:
    low, high = point[f"{share}_interval"] or (None, None)
    numbers = (point[share], low, high)
    return [str(point[count]), *("" if value is None else f"{value:.6g}" for value in numbers)]


def _cost(decision: Decisions, aim: Aim | None, threshold: float) -> float | None:
    if aim is None or aim.false_accept_cost is None:
        return None
    return float(decision.costs(aim, np.array([threshold]))[0])


def _reliabilities(found: Calibrated) -> Iterator[Plot]:
    for said in found.said:
        lines = {}
        for name, values in (("before", said.before), ("after", said.after)):
            bins = reliability(values, said.happened)
            lines[name] = (bins.said, bins.happened)
        yield Plot(f"share that was so: {said.what}", "probability that was said", lines, True)


def _curves(found: Calibrated) -> list[Plot]:
    """Overkill and underkill over the threshold, and the cost where costs were given."""
    thresholds = found.checkpoint.header.thresholds
    grid = np.linspace(0, 1, 101)
    panels = []
    for decision in found.decisions:
        points = [decision.at(float(value)) for value in grid]
        lines = {
            share: (grid, np.array([_or_nan(point[share]) for point in points]))
            for share in ("overkill", "underkill")
        }
        if found.aim is not None and found.aim.false_accept_cost is not None:
            lines["cost per image"] = (grid, decision.costs(found.aim, grid))
        mark = decision.threshold(thresholds)
        panels.append(Plot(f"share of images: {decision.name}", "threshold", lines, mark=mark))
    return panels


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
