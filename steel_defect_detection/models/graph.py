"""Graphs: networks from uint8 images in to probabilities out.

Preprocessing and the final sigmoid live inside, so no caller can normalise
wrongly, and an exported graph needs nothing around it. Training goes through
the same modules and takes their logits.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.models.classifier import Classifier
from steel_defect_detection.models.config import (
    ClassifierConfig,
    FamiliarityConfig,
    GraphConfig,
    Preprocessing,
    TwoHeadConfig,
)
from steel_defect_detection.models.familiarity import Familiarity
from steel_defect_detection.models.resizing import enlarge, resize
from steel_defect_detection.models.segmenter import Segmenter
from steel_defect_detection.models.stages import Watch, statistics
from steel_defect_detection.models.two_head import TwoHead

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
        pixels = self._channels(images.permute(0, 3, 1, 2).float())
        # First, because near 0 the numbers of bfloat16 lie close, and at 200 they are 1 apart.
        pixels = pixels * (1 / (255 * self.config.std)) - self.config.mean / self.config.std
        if self.changes_size:
            pixels = resize(pixels, self.scaled(images.shape[1:3]))
        height, width = pixels.shape[-2:]
        return functional.pad(pixels, (0, -width % STRIDE, 0, -height % STRIDE))

    @property
    def changes_size(self) -> bool:
        """Whether the network sees images at another size."""
        return self.config.scale != 1 or self.config.size is not None

    def scaled(self, shape: torch.Size) -> tuple[int, int]:
        """Height and width of an image after scaling, before padding."""
        if self.config.size is not None:
            return self.config.size
        height, width = (max(round(side * self.config.scale), 1) for side in shape)
        return height, width

    def _channels(self, pixels: Tensor) -> Tensor:
        if self.config.channels == 1:
            return pixels if pixels.shape[1] == 1 else _brightness(pixels)
        return pixels.expand(-1, self.config.channels, -1, -1)


def _brightness(pixels: Tensor) -> Tensor:
    """Brightness as JPEG defines it, which is how grey images are read from files."""
    return 0.299 * pixels[:, 0:1] + 0.587 * pixels[:, 1:2] + 0.114 * pixels[:, 2:3]


class ClassifierGraph(nn.Module):
    """Which classes an image shows.

    With the head ``duq`` the probabilities are kernels, each 0 to 1 by itself:
    an image that is far from every class has only low ones, and is therefore a
    likely defect where one class means "free of defects".

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes)``.
        defect_probability: float, ``(batch,)``; probability of any defect.
    """

    inputs = ("images",)
    outputs = ("probabilities", "defect_probability")

    def __init__(self, network: Classifier, config: ClassifierConfig, prepare: Preprocess) -> None:
        """Wrap a network whose first logits are those of the classes."""
        super().__init__()
        self.preprocess = prepare
        self.network = network
        self.config = config
        self.temperature = 1.0

    def logits(self, images: Tensor) -> Tensor:
        """Return the network's logits for uint8 images."""
        logits: Tensor = self.network(self.preprocess(images))
        return logits

    def probabilities(self, logits: Tensor) -> Tensor:
        """Turn logits into probabilities of the same shape."""
        return logits.softmax(dim=1) if self.config.adds_up else logits.sigmoid()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return probabilities per class and of any defect."""
        probabilities = self.probabilities(self.logits(images).float() / self.temperature)
        if self.config.good_class is None:
            return any_defect(probabilities, len(self.config.classes))
        good = probabilities[:, self.config.classes.index(self.config.good_class)]
        return probabilities[:, : len(self.config.classes)], 1 - good


class SegmenterGraph(nn.Module):
    """Where each defect class lies, at the size of the input.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes, height, width)``.
    """

    inputs = ("images",)
    outputs = ("probabilities",)

    def __init__(self, network: Segmenter, prepare: Preprocess) -> None:
        """Wrap a network."""
        super().__init__()
        self.preprocess = prepare
        self.network = network

    def logits(self, images: Tensor) -> Tensor:
        """Return logits per class and pixel of uint8 images."""
        logits: Tensor = self.network(self.preprocess(images))
        return restored(logits, self.preprocess, images)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Return probabilities per class and pixel."""
        return (self.logits(images).float().sigmoid(),)


class TwoHeadGraph(nn.Module):
    """Both answers in one pass.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes, height, width)``.
        class_probabilities: float, ``(batch, classes)``.
        defect_probability: float, ``(batch,)``; probability of any defect.
    """

    inputs: tuple[str, ...] = ("images",)
    outputs: tuple[str, ...] = ("probabilities", "class_probabilities", "defect_probability")

    def __init__(self, network: TwoHead, config: TwoHeadConfig, prepare: Preprocess) -> None:
        """Wrap a network."""
        super().__init__()
        self.preprocess = prepare
        self.network = network
        self.config = config
        self.temperature = 1.0

    def logits(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of pixels, at the size of the input, and of images."""
        pixels, whole = self.network(self.preprocess(images))
        return restored(pixels, self.preprocess, images), whole

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities per pixel, per image and of any defect."""
        pixels, whole = self.logits(images)
        return pixels.float().sigmoid(), *self.judged(whole)

    def judged(self, whole: Tensor) -> tuple[Tensor, Tensor]:
        """Turn logits of images into probabilities of the classes, and of any defect."""
        probabilities = (whole.float() / self.temperature).sigmoid()
        return any_defect(probabilities, len(self.config.classes))


class GateGraph(TwoHeadGraph):
    """Encoder and gate of a two-headed network, with what the decoder needs to go on.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``.
        probabilities: float, ``(batch, classes)``.
        defect_probability: float, ``(batch,)``; probability of any defect.
        feature_1 to feature_5: float, each half as high and wide as the one before.
    """

    outputs = ("probabilities", "defect_probability", *(f"feature_{n}" for n in range(1, 6)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities per image and of any defect, and the features."""
        features = self.network.encode(self.preprocess(images))
        return *self.judged(self.network.judge(features)), *features


class DecoderGraph(TwoHeadGraph):
    """Decoder of a two-headed network, which goes on where the gate stopped.

    Shape:
        images: uint8, ``(batch, height, width, 1 or 3)``; only their size counts.
        feature_1 to feature_5: as ``GateGraph`` returns them.
        probabilities: float, ``(batch, classes, height, width)``.
    """

    inputs = ("images", *(f"feature_{n}" for n in range(1, 6)))
    outputs = ("probabilities",)

    def forward(self, images: Tensor, *features: Tensor) -> tuple[Tensor, ...]:
        """Return probabilities per class and pixel."""
        pixels = restored(self.network.decode(features), self.preprocess, images)
        return (pixels.float().sigmoid(),)


class FamiliarGraph(nn.Module):
    """A graph that says, too, how familiar its images are.

    Its answers are those of the graph, and behind them ``familiarity``, shape
    ``(batch,)``, 0 to 1.
    """

    def __init__(self, graph: "PlainGraph", config: FamiliarityConfig) -> None:
        """Watch a graph."""
        super().__init__()
        # Not "graph", which means something else in what torch.export writes down.
        self.watched = graph
        self.familiarity = Familiarity(config)
        self.inputs = graph.inputs
        self.outputs = (*graph.outputs, "familiarity")
        self._watch = Watch(graph.network)

    @property
    def network(self) -> Classifier | Segmenter | TwoHead:
        """The network that is watched."""
        return self.watched.network

    @property
    def preprocess(self) -> Preprocess:
        """What happens to an image before."""
        return self.watched.preprocess

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what the graph says, and the familiarity."""
        with self._watch() as seen:
            answers = self.watched(images)
        return *answers, self.familiarity(statistics(seen))


def any_defect(probabilities: Tensor, class_count: int) -> tuple[Tensor, Tensor]:
    """Part the probabilities of the classes from that of any defect.

    Without a column of its own, "any defect" is the most probable class.
    """
    own = probabilities[:, class_count:]
    if own.shape[1] == 0:
        own = probabilities.amax(dim=1, keepdim=True)
    return probabilities[:, :class_count], own[:, 0]


def restored(logits: Tensor, prepare: Preprocess, images: Tensor) -> Tensor:
    """Undo padding and scaling, so that there is a logit for each pixel of the images."""
    height, width = prepare.scaled(images.shape[1:3])
    logits = logits[..., :height, :width]
    if prepare.changes_size:
        logits = enlarge(logits, (images.shape[1], images.shape[2]))
    return logits


PlainGraph = ClassifierGraph | SegmenterGraph | TwoHeadGraph
Graph = PlainGraph | FamiliarGraph

_PARTS = {"all": TwoHeadGraph, "gate": GateGraph, "decoder": DecoderGraph}


def build(config: GraphConfig) -> Graph:
    """Build a graph with random weights.

    Args:
        config: The network and its preprocessing.
    """
    graph = plain(config)
    return graph if config.familiarity is None else FamiliarGraph(graph, config.familiarity)


def plain(config: GraphConfig) -> PlainGraph:
    """Build a graph with random weights that does not say how familiar images are.

    Args:
        config: The network and its preprocessing.
    """
    graph = _wrap(config)
    if not isinstance(graph, SegmenterGraph):
        graph.temperature = config.temperature
    for layer in graph.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = BATCH_NORM_MOMENTUM
    return graph


def _wrap(config: GraphConfig) -> PlainGraph:
    network, prepare = config.network, Preprocess(config.preprocessing)
    channels = config.preprocessing.channels
    if network.kind == "classifier":
        return ClassifierGraph(Classifier(network, channels), network, prepare)
    if network.kind == "segmenter":
        return SegmenterGraph(Segmenter(network, channels), prepare)
    return _PARTS[config.part](TwoHead(network, channels).keep(config.part), network, prepare)
