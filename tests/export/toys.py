"""Small models and small strips to export."""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.checkpoints import Calibration, Header, Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)
from tests.models.densities import familiar

CLASSES = ("pit", "scratch")
SHAPE = (64, 96)

GATE = GraphConfig(
    network=ClassifierConfig(classes=CLASSES, encoder="resnet18"),
    preprocessing=Preprocessing(channels=1, scale=0.5),
)
SEGMENTER = GraphConfig(
    network=SegmenterConfig(classes=CLASSES, encoder="resnet18"),
    preprocessing=Preprocessing(channels=1),
)
TWO_HEAD = GraphConfig(
    network=TwoHeadConfig(classes=CLASSES, encoder="resnet18"),
    preprocessing=Preprocessing(channels=1),
)
LIMITS = Thresholds(
    gate=0.49, classes=(0.5, 0.4), pixels=(0.5, 0.52), min_areas=(5, 9), familiarity=0.001
)
TEMPERATURE = 1.5
CALIBRATION = Calibration(images=40, data="strips that are drawn", aim="recall 0.9")
STRANGER = np.full((*SHAPE, 1), 250, dtype=np.uint8)
"""An image that calibrated toys do not know."""


def strips(folder: Path, shape: tuple[int, int] = SHAPE, count: int = 4) -> Path:
    """Draw a folder of strips that differ in brightness and noise."""
    random = np.random.default_rng(0)
    for number in range(count):
        images.write(folder / f"strip-{number}.png", strip(number, shape, random))
    return folder


def strip(number: int, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Draw a strip that is the brighter the higher its number is."""
    low = 30 * number
    image = random.integers(low, low + 90, (*shape, 1), dtype=np.uint8)
    image[10 * number : 10 * number + 20, 20:60] += 60
    return image


@cache
def tensors(config: GraphConfig) -> dict[str, np.ndarray]:
    """Weights with the statistics of some images, so that no answer is a constant."""
    torch.manual_seed(1)
    graph = graphs.build(config).train()
    random = np.random.default_rng(0)
    with torch.no_grad():
        for _ in range(3):
            pictures = random.integers(0, 200, (4, *SHAPE, 1), dtype=np.uint8)
            graph.logits(torch.from_numpy(pictures))
    return weights.arrays(graph)


def save(path: Path, kind: str, config: GraphConfig, **fields) -> Path:
    """Save a model of one network."""
    return _save(path, kind, config, tensors(config), **fields)


def save_calibrated(path: Path, kind: str, config: GraphConfig, **fields) -> Path:
    """Save a model of one network that knows strips, and how sure to be of them."""
    return _save(path, kind, *calibrated(config), **{"calibration": CALIBRATION} | fields)


@cache
def calibrated(config: GraphConfig) -> tuple[GraphConfig, dict[str, np.ndarray]]:
    """The same graph and weights, with a density of what strips look like."""
    random = np.random.default_rng(7)
    shown = np.stack([strip(number // 2 % 4, SHAPE, random) for number in range(40)])
    return familiar(config, tensors(config), shown, temperature=TEMPERATURE)


def _save(path: Path, kind: str, config: GraphConfig, numbers, **fields) -> Path:
    values = {"architecture": kind, "graphs": {kind: config}, "classes": CLASSES}
    checkpoints.save(path, Header(**values | {"thresholds": LIMITS} | fields), numbers)
    return path


def save_cascade(folder: Path) -> Path:
    """Save a calibrated gate and a segmenter in one file."""
    gate = checkpoints.load(save_calibrated(folder / "gate.safetensors", "classifier", GATE))
    segmenter = checkpoints.load(save(folder / "segmenter.safetensors", "segmenter", SEGMENTER))
    both = checkpoints.join(gate, segmenter)
    checkpoints.save(folder / "cascade.safetensors", both.header, both.tensors)
    return folder / "cascade.safetensors"


def save_shared_backbone(folder: Path) -> Path:
    """Save a two-headed network whose decoder waits for its gate."""
    whole = checkpoints.load(save(folder / "two-head.safetensors", "two_head", TWO_HEAD))
    shared = checkpoints.share(whole)
    checkpoints.save(folder / "shared.safetensors", shared.header, shared.tensors)
    return folder / "shared.safetensors"


DESCRIPTION = '{"classes": ["Riß & <Kratzer>", "a \\"quoted\\" one", "锈"]}'
"""A description with letters that each format has to escape in its way."""
