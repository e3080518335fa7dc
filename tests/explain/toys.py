"""Networks so small that their explanations can be worked out by hand."""

import numpy as np
import torch
from torch import Tensor, nn

from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.explain.subject import Subject
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import (
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
    SegmenterConfig,
)

CLASSES = ("pit", "scratch")
MEAN, STD = 0.5, 1 / 16
SIDE = 32


class Toy(nn.Module):
    """An encoder and a head."""

    def __init__(self, encoder: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images))

    def encoder_parts(self) -> list[nn.Module]:
        return [self.encoder]


class Summed(nn.Module):
    """Adds up all pixels of each channel, so that each pixel stands for itself."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.sum(dim=(2, 3))


def classifier(encoder: nn.Module, head: nn.Module, **settings) -> Subject:
    """A classifier of two classes that sees brightness from -8 to 8."""
    config = ClassifierConfig(classes=CLASSES, exclusive=settings.pop("exclusive", True))
    prepare = graphs.Preprocess(Preprocessing(mean=MEAN, std=STD, **settings))
    graph = graphs.ClassifierGraph(Toy(encoder, head), config, prepare)
    return subject(graph, "classifier")


def segmenter(encoder: nn.Module, **limits) -> Subject:
    """A segmenter of two classes that sees brightness from -8 to 8."""
    prepare = graphs.Preprocess(Preprocessing(mean=MEAN, std=STD))
    graph = graphs.SegmenterGraph(Toy(encoder, nn.Identity()), prepare)
    return subject(graph, "segmenter", **limits)


def subject(graph: graphs.Graph, part: str, **limits) -> Subject:
    thresholds = Thresholds.default(len(CLASSES)).model_copy(update=limits)
    return Subject(graph=graph.eval(), part=part, classes=CLASSES, thresholds=thresholds)


def real(encoder: str, kind: str = "classifier") -> Subject:
    """A network of the libraries with random weights, whose batch norms have seen some images."""
    if kind == "classifier":
        network = ClassifierConfig(classes=CLASSES, encoder=encoder)
    else:
        network = SegmenterConfig(classes=CLASSES, encoder=encoder, architecture="unet")
    torch.manual_seed(0)
    graph = graphs.build(GraphConfig(network=network)).train()
    for layer in graph.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None  # the mean of all batches
    random = np.random.default_rng(0)
    with torch.no_grad():
        for _ in range(2):
            pictures = random.integers(0, 256, (4, 64, 64, 1), dtype=np.uint8)
            graph.logits(torch.from_numpy(pictures))
    return subject(graph, kind)


def per_pixel(*weights: list[list[float]], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Layers that look at each pixel by itself, each followed by an activation."""
    layers: list[nn.Module] = []
    for matrix in weights:
        table = torch.tensor(matrix)
        layer = nn.Conv2d(table.shape[1], table.shape[0], 1, bias=False)
        layer.weight.data = table[:, :, None, None]
        layers += [layer, activation()]
    return nn.Sequential(*layers)


def linear(seed: int = 0) -> Subject:
    """One weight per class and pixel."""
    torch.manual_seed(seed)
    return classifier(nn.Flatten(), nn.Linear(SIDE * SIDE, len(CLASSES)))


def noise(height: int = SIDE, width: int = SIDE, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 1), dtype=np.uint8)


def seen(image: np.ndarray) -> np.ndarray:
    """What a network sees of an image, shape ``(height, width)``."""
    return (image[..., 0] / 255 - MEAN) / STD
