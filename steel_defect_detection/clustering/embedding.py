"""From crops to numbers: what a network sees on each of them.

The numbers are what the network's head gets, the encoder's last features averaged
over the crop ("penultimate"), or what the head makes of them ("logits").
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steel_defect_detection import checkpoints
from steel_defect_detection.calibration.looks import LOOKS_FIRST, as_trained
from steel_defect_detection.checkpoints import Tensors
from steel_defect_detection.errors import ConfigError, InferenceError
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import (
    CLASSIFIER_ENCODERS,
    ClassifierConfig,
    GraphConfig,
    Preprocessing,
)
from steel_defect_detection.models.graph import (
    STRIDE,
    ClassifierGraph,
    PlainGraph,
    SegmenterGraph,
    plain,
)
from steel_defect_detection.runtimes.pytorch import find_device

Features = Literal["penultimate", "logits"]
Weights = Literal["imagenet", "random"]

IMAGENET_CLASSES = 1000

# Of ImageNet's images, on average over the three colours.
_MEAN, _STD = 0.449, 0.226

_INSTEAD = "--weights random, a baseline, or --model with a model that was trained"


@dataclass(frozen=True, kw_only=True, eq=False)
class Backbone:
    """The network that looks at crops, with its weights.

    Args:
        config: The network and its preprocessing.
        tensors: Its weights by name.
        head_outputs: Logits of a head that was put in the place of the
            network's own; 0 if it keeps its own.
        source: Where it comes from, in words.
    """

    config: GraphConfig
    tensors: Tensors
    head_outputs: int = 0
    source: str


def of_model(name_or_file: str, *, size: int) -> Backbone:
    """Take the network of a model that looks at each image first.

    Args:
        name_or_file: Name of a built-in model, a checkpoint file or a run folder.
        size: Side of the crops, in pixels.

    Raises:
        CheckpointError: If there is no such model, or it is damaged.
    """
    checkpoint = checkpoints.load(name_or_file)
    graphs = checkpoint.header.graphs
    name = next(name for name in LOOKS_FIRST if name in graphs)
    config = as_trained(graphs[name])
    return Backbone(
        config=config.model_copy(update={"preprocessing": _fitted(config.preprocessing, size)}),
        tensors=checkpoint.weights(name),
        source=f"{name} of {checkpoint.header.card.name or 'a model'}, {checkpoint.sha256[:12]}",
    )


def of_zoo(
    encoder: str,
    initial: Weights,
    features: Features = "penultimate",
    *,
    size: int,
    seed: int = 0,
) -> Backbone:
    """Build a network whose head knows as many classes as ImageNet.

    Args:
        encoder: One of ``CLASSIFIER_ENCODERS``.
        initial: ``imagenet``, weights that are downloaded, or ``random`` ones,
            a baseline.
        features: Which numbers will be asked for.
        size: Side of the crops, in pixels.
        seed: What random weights depend on.

    Raises:
        ConfigError: If there is no such encoder, or nobody publishes its weights.
        DownloadError: If they cannot be fetched.
    """
    if encoder not in CLASSIFIER_ENCODERS:
        msg = f"there is no backbone {encoder!r}; there are {', '.join(CLASSIFIER_ENCODERS)}"
        raise ConfigError(msg)
    config = GraphConfig(
        network=ClassifierConfig(encoder=encoder, classes=("any",)),
        preprocessing=_fitted(Preprocessing(channels=3, mean=_MEAN, std=_STD), size),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        graph = _built(config, IMAGENET_CLASSES)
    if initial == "imagenet":
        taken = weights.imagenet(graph, config, with_head=True, instead=_INSTEAD)
        if features == "logits" and not any(name.startswith(weights.HEADS) for name in taken):
            msg = (
                f"the published head of {encoder} does not fit the network here. "
                "Use --features penultimate, or another backbone"
            )
            raise ConfigError(msg)
    return Backbone(
        config=config,
        tensors=weights.arrays(graph),
        head_outputs=IMAGENET_CLASSES,
        source=f"{encoder} with {initial} weights" + (f", seed {seed}" * (initial == "random")),
    )


class Embedder:
    """Looks at crops with a backbone.

    Args:
        backbone: The network.
        features: Which of its numbers.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        CheckpointError: If the weights do not fit the network.
        ConfigError: If it has no logits for whole images.
        DeviceError: If there is no such device.
    """

    def __init__(
        self, backbone: Backbone, features: Features = "penultimate", *, device: str = "auto"
    ) -> None:
        """Build the network."""
        self._device = find_device(device)
        graph = _built(backbone.config, backbone.head_outputs)
        weights.restore(graph, backbone.tensors)
        self._graph = graph.eval().to(self._device)
        self._features = features
        if features == "logits" and isinstance(graph, SegmenterGraph):
            msg = (
                f"{backbone.source} outlines defects and has no logits of whole images. "
                "Use --features penultimate, or another model"
            )
            raise ConfigError(msg)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Look at crops of one size.

        Args:
            crops: uint8, shape ``(crops, height, width, 1 or 3)``.

        Returns:
            float32, shape ``(crops, numbers)``.

        Raises:
            InferenceError: If the network answers with not-a-number.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
        with torch.inference_mode():
            found = self._numbers(pixels).float().cpu().numpy()
        if not np.isfinite(found).all():
            msg = "the network answered with not-a-number: its model file is damaged"
            raise InferenceError(msg)
        return np.asarray(found, dtype=np.float32)

    def embed_all(self, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Look at crops batch by batch, so that no more than one batch is in memory.

        Args:
            batches: At least one; each as ``embed`` takes it.
        """
        return np.concatenate([self.embed(batch) for batch in batches])

    def _numbers(self, pixels: Tensor) -> Tensor:
        graph = self._graph
        if isinstance(graph, ClassifierGraph):
            with _watched(_head(graph)) as seen:
                logits = graph.logits(pixels)
            return logits if self._features == "logits" else seen[0].flatten(1)
        network: Any = graph.network
        if isinstance(graph, SegmenterGraph):
            last: Tensor = network.network.encoder(graph.preprocess(pixels))[-1]
            return last.mean(dim=(2, 3))
        stages = network.encode(graph.preprocess(pixels))
        numbers: Tensor = network.judge(stages)
        return numbers if self._features == "logits" else stages[-1].mean(dim=(2, 3))


def _fitted(preprocessing: Preprocessing, size: int) -> Preprocessing:
    """See crops whole and without padding, unless the network has a size of its own.

    The scale of a network that takes images of any size means nothing for crops:
    they have been brought to one size, each by another factor.
    """
    if preprocessing.size is not None:
        return preprocessing
    side = -(-size // STRIDE) * STRIDE
    return preprocessing.model_copy(update={"scale": 1.0, "size": (side, side)})


def _built(config: GraphConfig, head_outputs: int) -> PlainGraph:
    """Build a graph with random weights, and with another head if one is asked for."""
    graph = plain(config)
    if head_outputs:
        head: Any = _head(graph)
        last: Any = head[-1] if isinstance(head, nn.Sequential) else head
        wider = nn.Linear(last.in_features, head_outputs)
        # MobileNetV2 keeps its last layer behind a dropout, and its weights are called so.
        behind = isinstance(head, nn.Sequential)
        layer = nn.Sequential(*head[:-1], wider) if behind else wider
        setattr(graph.network.network, _head_name(graph), layer)
    return graph


def _head(graph: PlainGraph) -> nn.Module:
    head: nn.Module = getattr(graph.network.network, _head_name(graph))
    return head


def _head_name(graph: PlainGraph) -> str:
    names = [name.removesuffix(".") for name in weights.HEADS]
    return next(name for name in names if hasattr(graph.network.network, name))


@contextmanager
def _watched(head: nn.Module) -> Iterator[list[Tensor]]:
    """Give a list that gets what the head is given while the network runs."""
    seen: list[Tensor] = []

    def note(_layer: nn.Module, inputs: Any) -> None:
        seen.append(inputs[0])

    hook = head.register_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()
