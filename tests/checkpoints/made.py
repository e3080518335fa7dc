"""Checkpoints of two classes."""

import numpy as np

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, Checkpoint, Header, Thresholds
from steel_defect_detection.models.config import ClassifierConfig, GraphConfig, SegmenterConfig

CLASSES = ("scratch", "patch")
NETWORKS = {
    "classifier": ClassifierConfig(classes=CLASSES),
    "segmenter": SegmenterConfig(classes=CLASSES),
}


def header(kind: str, **changes) -> Header:
    values = {
        "architecture": kind,
        "graphs": {kind: GraphConfig(network=NETWORKS[kind])},
        "classes": CLASSES,
        "thresholds": Thresholds.default(2),
        "card": Card(name="test", metrics={"dice": 0.5}),
    }
    return Header(**(values | changes))


def tensors(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "weight": random.normal(size=(3, 2)).astype(np.float32),
        "count": np.array(7, dtype=np.int64),
    }


def saved(path, kind: str, **changes) -> Checkpoint:
    checkpoints.save(path, header(kind, **changes), tensors(0))
    return checkpoints.load(path)
