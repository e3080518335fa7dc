"""Predictions to write, and runs that wrote them."""

from pathlib import Path

import numpy as np

from steel_defect_detection.prediction import Prediction, Times
from steel_defect_detection.results import ResultsWriter

CLASSES = ("scratch", "patch")


def defect(source: str, *, image=None) -> Prediction:
    label_map = np.zeros((20, 30), dtype=np.uint8)
    label_map[2:6, 3:9] = 2
    label_map[10:12, 3:9] = 1
    return Prediction(
        source=source,
        classes=CLASSES,
        verdict="defect",
        scores=np.array([0.25, 0.75], dtype=np.float32),
        label_map=label_map,
        gate_probability=0.9,
        times=Times(decode_ms=1.5, gate_ms=2.25),
        image=image,
    )


def clean(source: str) -> Prediction:
    return Prediction(
        source=source,
        classes=CLASSES,
        verdict="clean",
        scores=np.zeros(2, dtype=np.float32),
        label_map=np.zeros((20, 30), dtype=np.uint8),
    )


def failure(source: str) -> Prediction:
    return Prediction(source=source, classes=CLASSES, verdict="error", error=f"{source} is broken")


def write(output: Path, *predictions: Prediction) -> None:
    paths = [Path(prediction.source) for prediction in predictions]
    with ResultsWriter(output, paths, CLASSES) as writer:
        for prediction in predictions:
            writer.add(prediction)
