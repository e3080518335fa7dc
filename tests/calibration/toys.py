"""Small models with random weights, and strips whose truth is known."""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint, Header, Thresholds
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
    TwoHeadConfig,
)
from tests.datasets.drawn import entry

CLASSES = ("pit", "scratch")
THREE = ("good", "pit", "scratch")
GREY = Preprocessing(channels=1)


def strips(count: int = 24, classes: tuple[str, ...] = CLASSES, *, seed: int = 0) -> Dataset:
    """Strips of noise on which each class is drawn, or none; ``good`` is drawn as nothing."""
    random = np.random.default_rng(seed)
    entries = []
    for number in range(count):
        image = random.integers(60, 80 + 5 * (number % 7), (32, 64))
        kind = number % 3
        masks = np.zeros((2, 32, 64), dtype=np.bool_)
        if kind:
            masks[kind - 1, 8:16, 4 + number : 20 + number] = True
            image[masks.any(axis=0)] += 70 * kind
        labels = masks.any(axis=(1, 2)).tolist()
        if classes == THREE:
            entries.append(entry(f"{number}.png", image, labels=(not kind, *labels)))
        else:
            entries.append(entry(f"{number}.png", image, masks))
    good = "good" if classes == THREE else None
    return Dataset(classes=classes, entries=tuple(entries), good_class=good)


def without_clean(dataset: Dataset) -> Dataset:
    """The strips that show a defect, with labels and without masks."""
    entries = [replace(one.labelled(), masks=None) for one in dataset.entries]
    return replace(dataset, entries=tuple(one for one in entries if any(one.labels)))


def tensors(config: GraphConfig) -> dict[str, np.ndarray]:
    """Random weights with the statistics of the strips, so that no answer is a constant."""
    torch.manual_seed(1)
    graph = graphs.build(config).train()
    for layer in graph.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of all batches
    images = np.stack([sample.image for sample in strips(12)])
    with torch.no_grad():
        for _ in range(4):
            graph.logits(torch.from_numpy(images))
    return weights.arrays(graph)


@cache
def model(kind: str) -> Checkpoint:
    """A model: a kind of ``KINDS``."""
    if kind == "cascade":
        return checkpoints.join(model("independent"), model("segmenter"))
    if kind == "shared_backbone":
        return checkpoints.share(model("two_head"))
    network, limits = KINDS[kind]
    config = GraphConfig(network=network, preprocessing=GREY)
    architecture = network.kind
    header = Header(
        architecture=architecture,
        graphs={architecture: config},
        classes=network.classes,
        background=getattr(network, "good_class", None),
        thresholds=limits,
    )
    return Checkpoint(header=header, tensors=tensors(config), source=kind, sha256="0" * 64)


_TWO = Thresholds(gate=0.55, classes=(0.45, 0.6), pixels=(0.5, 0.52), min_areas=(5, 9))

KINDS = {
    "independent": (ClassifierConfig(classes=CLASSES, encoder="shufflenet_v2"), _TWO),
    "logit": (ClassifierConfig(classes=CLASSES, encoder="shufflenet_v2", any_defect="logit"), _TWO),
    "exclusive": (ClassifierConfig(classes=CLASSES, encoder="shufflenet_v2", exclusive=True), _TWO),
    "with good": (
        ClassifierConfig(classes=THREE, encoder="shufflenet_v2", exclusive=True, good_class="good"),
        Thresholds.default(3),
    ),
    "kernels": (
        ClassifierConfig(
            classes=THREE,
            encoder="shufflenet_v2",
            exclusive=True,
            good_class="good",
            head="duq",
            embedding_size=8,
        ),
        Thresholds.default(3),
    ),
    "segmenter": (SegmenterConfig(classes=CLASSES, encoder="mobilenet_v2"), _TWO),
    "two_head": (TwoHeadConfig(classes=CLASSES, encoder="mobilenet_v2"), _TWO),
}
"""Networks of one graph and their thresholds, by kind; a cascade and a shared backbone beside."""


def truth_for(kind: str, **settings) -> Dataset:
    """Strips whose labels suit a kind of model."""
    if kind in {"with good", "kernels"}:
        return strips(classes=THREE, **settings)
    return without_clean(strips(**settings)) if kind == "exclusive" else strips(**settings)
