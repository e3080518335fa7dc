"""Graphs: networks from uint8 images in to probabilities out.

Preprocessing and the final sigmoid live inside, so no caller can normalise
wrongly, and an exported graph needs nothing around it. Training goes through
the same modules and takes their logits.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.models.classifier import Classifier
from steel_defect_detection.models.config import GraphConfig, Preprocessing
from steel_defect_detection.models.segmenter import Segmenter

# Encoders halve the image five times; each halving must come out even.
STRIDE = 32

# Share of each batch in the running statistics. EfficientNets come with 0.01, made for runs of
# hundreds of thousands of steps: after a hundred steps on a small data set their statistics would
# still be mostly the initial ones, and evaluation would see another network than training.
BATCH_NORM_MOMENTUM = 0.1


class Preprocess(nn.Module):
    """Scale, normalise and pad uint8 images.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        output: float, ``(batch, channels, height', width')``, sides divisible
            by 32; what was added to the right and below is 0, the mean.
    """

    def __init__(self, config: Preprocessing) -> None:
        """Keep the settings."""
        super().__init__()
        self.config = config

    def forward(self, images: Tensor) -> Tensor:
        """Return what the network sees."""
        pixels = images.permute(0, 3, 1, 2).float() / 255
        pixels = self._channels(pixels)
        if self.config.scale != 1:
            pixels = functional.interpolate(
                pixels, size=self.scaled(images.shape[1:3]), mode="bilinear", antialias=True
            )
        pixels = (pixels - self.config.mean) / self.config.std
        height, width = pixels.shape[-2:]
        return functional.pad(pixels, (0, -width % STRIDE, 0, -height % STRIDE))

    def scaled(self, shape: torch.Size) -> tuple[int, int]:
        """Height and width of an image after scaling, before padding."""
        height, width = (max(round(side * self.config.scale), 1) for side in shape)
        return height, width

    def _channels(self, pixels: Tensor) -> Tensor:
        if self.config.channels == 1:
            return pixels.mean(dim=1, keepdim=True)
        return pixels.expand(-1, self.config.channels, -1, -1)


class ClassifierGraph(nn.Module):
    """Which defect classes an image shows.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes)``.
        defect_probability: float, ``(batch,)``; probability of any defect.
    """

    outputs = ("probabilities", "defect_probability")

    def __init__(self, network: Classifier, preprocessing: Preprocessing, classes: int) -> None:
        """Wrap a network whose first logits are those of the classes."""
        super().__init__()
        self.preprocess = Preprocess(preprocessing)
        self.network = network
        self.class_count = classes

    def logits(self, images: Tensor) -> Tensor:
        """Return the network's logits for uint8 images."""
        logits: Tensor = self.network(self.preprocess(images))
        return logits

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities per class and of any defect."""
        probabilities = self.logits(images).float().sigmoid()
        # Without a logit of its own, "any defect" is the most probable class.
        any_defect = probabilities[:, self.class_count :]
        if any_defect.shape[1] == 0:
            any_defect = probabilities.amax(dim=1, keepdim=True)
        return probabilities[:, : self.class_count], any_defect[:, 0]


class SegmenterGraph(nn.Module):
    """Where each defect class lies, at the size of the input.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes, height, width)``.
    """

    outputs = ("probabilities",)

    def __init__(self, network: Segmenter, preprocessing: Preprocessing) -> None:
        """Wrap a network."""
        super().__init__()
        self.preprocess = Preprocess(preprocessing)
        self.network = network

    def logits(self, images: Tensor) -> Tensor:
        """Return logits per class and pixel of uint8 images."""
        height, width = self.preprocess.scaled(images.shape[1:3])
        logits: Tensor = self.network(self.preprocess(images))[..., :height, :width]
        if self.preprocess.config.scale != 1:
            size = images.shape[1:3]
            logits = functional.interpolate(logits, size=size, mode="bilinear")
        return logits

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return probabilities per class and pixel."""
        return (self.logits(images).float().sigmoid(),)


Graph = ClassifierGraph | SegmenterGraph


def build(config: GraphConfig) -> Graph:
    """Build a graph with random weights.

    Args:
        config: The network and its preprocessing.
    """
    network, preprocessing = config.network, config.preprocessing
    graph: Graph
    if network.kind == "classifier":
        classifier = Classifier(network, preprocessing.channels)
        graph = ClassifierGraph(classifier, preprocessing, len(network.classes))
    else:
        graph = SegmenterGraph(Segmenter(network, preprocessing.channels), preprocessing)
    for layer in graph.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = BATCH_NORM_MOMENTUM
    return graph
