"""The tables of a results folder: their columns, and how they are written."""

from collections.abc import Sequence
from typing import NamedTuple

from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results.naming import Names

PREDICTION_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")

BEFORE_CLASSES = (
    "file",
    "mask",
    "verdict",
    "class",
    "gate_probability",
    "certainty",
    "familiarity",
)
"""Columns of ``images.csv`` left of those of the classes."""

AFTER_CLASSES = ("decode_ms", "gate_ms", "segment_ms", "error")
"""Columns right of them."""


class Rows(NamedTuple):
    """What one input adds to the tables.

    Args:
        image: Its row of ``images.csv``.
        predictions: Its rows of ``predictions.csv``, one per class found.
    """

    image: list[str]
    predictions: list[list[str]]


def image_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Columns of ``images.csv`` for these classes."""
    scores = (f"score_{name}" for name in classes)
    areas = (f"area_{name}" for name in classes)
    return (*BEFORE_CLASSES, *scores, *areas, *AFTER_CLASSES)


def areas(row: Sequence[str], class_count: int) -> Sequence[str]:
    """Cells of a row of ``images.csv`` that hold the classes' areas.

    Args:
        row: The row.
        class_count: How many classes there are.
    """
    start = len(BEFORE_CLASSES) + class_count
    return row[start : start + class_count]


def rows_of(prediction: Prediction, names: Names, mask: str) -> Rows:
    """Say what a prediction adds to the tables.

    Args:
        prediction: What was seen on an input.
        names: What its results are called.
        mask: Where its mask lies below the results folder; empty for none.
    """
    runs = [
        [names.image_id, str(prediction.classes.index(name) + 1), text]
        for name, text in prediction.runs().items()
    ]
    return Rows(_image_row(prediction, mask), runs)


def _image_row(prediction: Prediction, mask: str) -> list[str]:
    times = prediction.times
    count = len(prediction.classes)
    scores = (
        [number(value) for value in prediction.scores]
        if prediction.scores is not None
        else [""] * count
    )
    areas = (
        [str(area) for area in prediction.areas]
        if prediction.label_map is not None
        else [""] * count
    )
    return [
        prediction.source,
        mask,
        prediction.verdict,
        prediction.class_name or "",
        number(prediction.gate_probability),
        number(prediction.certainty),
        number(prediction.familiarity),
        *scores,
        *areas,
        number(times.decode_ms),
        number(times.gate_ms),
        number(times.segment_ms),
        prediction.error or "",
    ]


def number(value: float | None) -> str:
    """Write a number as the tables hold it: six digits, and nothing for None."""
    return "" if value is None else f"{value:.6g}"
