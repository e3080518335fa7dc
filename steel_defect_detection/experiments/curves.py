"""Curves of a study: each measure over the epochs, as mean and deviation of the runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures, files
from steel_defect_detection.experiments import records
from steel_defect_detection.experiments.grid import Variant
from steel_defect_detection.experiments.records import Record
from steel_defect_detection.training import charts

MOST_LINES = 8
"""Most variants of one picture: more lines could not be told apart."""

_COLUMNS = ("measure", "variant", "epoch", "runs", "mean", "std")
# What no model would score: the same at each epoch.
_BASELINES = re.compile(r"_(majority|all_empty)$")

Curves = dict[str, dict[str, NDArray[np.float64]]]
"""Values of shape ``(runs, epochs)`` by variant, by measure; NaN after a run's last epoch."""


class Band(NamedTuple):
    """One measure of one variant, epoch by epoch.

    Args:
        runs: Runs that reached each epoch, shape ``(epochs,)``.
        mean: Their mean.
        std: Their sample standard deviation; NaN of a single run.
    """

    runs: NDArray[np.int64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]


def band(values: NDArray[np.float64]) -> Band:
    """Average runs epoch by epoch.

    Args:
        values: Shape ``(runs, epochs)``; NaN for an epoch that a run did not reach.
    """
    reached = np.isfinite(values)
    counts = reached.sum(axis=0)
    table = np.ma.masked_array(values, ~reached)
    mean = np.ma.filled(table.mean(axis=0), np.nan)
    # A single run has no deviation, which is not the same as none at all.
    std = np.ma.filled(table.std(axis=0, ddof=1), np.nan)
    return Band(counts, mean, std)


def collect(home: Path, variants: Sequence[Variant], found: Sequence[Record]) -> Curves:
    """Read the tables of epochs of all finished runs.

    Args:
        home: Folder of the study.
        variants: All variants.
        found: The finished runs.
    """
    curves: Curves = {}
    for variant in variants:
        places = [
            records.place(home, variant, record.run)
            for record in found
            if record.variant == variant.name
        ]
        for stage in ("",) if len(variant.stages()) == 1 else ("gate", "segmenter"):
            tables = [place / stage / "epochs.csv" for place in places]
            for measure, values in _measures(tables):
                name = f"{stage}.{measure}" if stage else measure
                curves.setdefault(name, {})[variant.name] = values
    return curves


def write(home: Path, variants: Sequence[Variant], curves: Curves) -> list[Path]:
    """Write ``curves.csv`` and a picture per measure, or several of many variants.

    Args:
        home: Folder of the study.
        variants: All variants.
        curves: What ``collect`` found.

    Returns:
        The pictures.

    Raises:
        ResultsError: If a file cannot be written.
    """
    files.write_table(home / "curves.csv", _COLUMNS, _rows(curves))
    pictures = []
    for measure, lines in curves.items():
        for ending, names in groups(variants):
            shown = {name: lines[name] for name in names if name in lines}
            if shown:
                path = home / f"curves-{measure}{ending}.png"
                figures.write(path, _figure(measure, shown))
                pictures.append(path)
    return pictures


def groups(variants: Sequence[Variant]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Put variants into pictures of a few lines: by the first axis, if they are many.

    Args:
        variants: All variants.

    Yields:
        What to add to the name of a picture, and the names of its variants.
    """
    if len(variants) <= MOST_LINES:
        yield "", tuple(variant.name for variant in variants)
        return
    axis = next(iter(variants[0].labels))
    parts: dict[str, list[str]] = {}
    for variant in variants:
        parts.setdefault(variant.labels[axis], []).append(variant.name)
    # An axis of its own fills pictures one by one.
    if all(len(names) == 1 for names in parts.values()):
        parts = {"": [variant.name for variant in variants]}
    for label, names in parts.items():
        for start in range(0, len(names), MOST_LINES):
            words = [label] if label else []
            words += [str(1 + start // MOST_LINES)] if len(names) > MOST_LINES else []
            yield "".join(f"-{word}" for word in words), tuple(names[start : start + MOST_LINES])


def _measures(tables: Sequence[Path]) -> Iterator[tuple[str, NDArray[np.float64]]]:
    if not tables:
        return
    for panel in charts.panels(*tables).values():
        for name, values in panel.items():
            if not _BASELINES.search(name):
                yield name, values


def _rows(curves: Curves) -> Iterator[list[Any]]:
    for measure, lines in curves.items():
        for variant, values in lines.items():
            found = band(values)
            for place, (count, mean, std) in enumerate(zip(*found, strict=True)):
                if count:
                    yield [measure, variant, place + 1, count, mean, "" if np.isnan(std) else std]


def _figure(measure: str, lines: Mapping[str, NDArray[np.float64]]) -> Any:
    runs = {len(values) for values in lines.values()}
    same = runs.pop() if len(runs) == 1 else None
    if same == 1:
        return figures.curves({f"{measure}, one run": lines})
    if same is not None:
        return figures.curves({f"{measure}, mean ± standard deviation of {same} runs": lines})
    counted = {f"{name} ({len(values)} runs)": values for name, values in lines.items()}
    return figures.curves({f"{measure}, mean ± standard deviation": counted})
