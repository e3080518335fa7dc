"""Small models and small strips to export."""

from pathlib import Path

import numpy as np
import torch

from steel_defect_detection import checkpoints, images
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)

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
LIMITS = Thresholds(gate=0.49, classes=(0.5, 0.4), pixels=(0.5, 0.52), min_areas=(5, 9))


def strips(folder: Path, shape: tuple[int, int] = SHAPE, count: int = 4) -> Path:
    """Draw a folder of strips that differ in brightness and noise."""
    random = np.random.default_rng(0)
    for number in range(count):
        low = 30 * number
        image = random.integers(low, low + 90, (*shape, 1), dtype=np.uint8)
        image[10 * number : 10 * number + 20, 20:60] += 60
        images.write(folder / f"strip-{number}.png", image)
    return folder


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
    header = Header(
        architecture=kind,
        graphs={kind: config},
        classes=CLASSES,
        thresholds=LIMITS,
        **fields,
    )
    checkpoints.save(path, header, tensors(config))
    return path


def save_cascade(folder: Path) -> Path:
    """Save a gate and a segmenter in one file."""
    gate = checkpoints.load(save(folder / "gate.safetensors", "classifier", GATE))
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
