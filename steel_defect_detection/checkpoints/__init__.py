"""Checkpoints: weights and everything needed to use them, in one file.

A checkpoint is a ``.safetensors`` file whose header holds, as JSON, the
networks, the classes, the preprocessing, the thresholds and the model card.
Reading one executes nothing and needs no torch. The tensors of a single
network keep their names; those of a cascade are prefixed ``gate.`` and
``segmenter.``. Numbers are stored as float16 or float32, counters as int64.

Format: https://github.com/huggingface/safetensors
"""

from steel_defect_detection.checkpoints.combining import join, share
from steel_defect_detection.checkpoints.container import Tensors
from steel_defect_detection.checkpoints.describing import describe
from steel_defect_detection.checkpoints.file import (
    Checkpoint,
    built_in,
    find,
    load,
    save,
)
from steel_defect_detection.checkpoints.header import (
    Calibration,
    Card,
    DataSource,
    Header,
    Thresholds,
)

__all__ = [
    "Calibration",
    "Card",
    "Checkpoint",
    "DataSource",
    "Header",
    "Tensors",
    "Thresholds",
    "built_in",
    "describe",
    "find",
    "join",
    "load",
    "save",
    "share",
]
