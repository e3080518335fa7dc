"""Weights of a graph: into a checkpoint's arrays and back."""

from collections.abc import Mapping

import numpy as np
import torch
from efficientnet_pytorch import EfficientNet
from numpy.typing import NDArray

from steel_defect_detection.errors import CheckpointError, DownloadError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph

# efficientnet-pytorch calls its last layer so; an encoder does not have it.
_HEAD = "_fc."
_STEM = "_conv_stem.weight"


def arrays(graph: Graph) -> dict[str, NDArray[np.generic]]:
    """Copy the weights out of a graph, by name."""
    state = graph.network.network.state_dict()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def restore(graph: Graph, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Put weights into a graph.

    Raises:
        CheckpointError: If names or shapes are not those of the graph.
    """
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
    try:
        graph.network.network.load_state_dict(state)
    except RuntimeError as error:
        lines = str(error).splitlines()
        msg = f"the weights do not fit the architecture: {lines[1].strip()[:200]}"
        raise CheckpointError(msg) from error


def transfer(graph: Graph, tensors: Mapping[str, NDArray[np.generic]]) -> int:
    """Take over whatever fits from weights of another graph.

    An EfficientNet is recognised both as classifier and as encoder, so a gate
    can start from a segmenter's encoder and the other way round.

    Returns:
        How many tensors were taken over.
    """
    state = graph.network.network.state_dict()
    as_encoder = any(name.startswith("encoder.") for name in state)
    taken = 0
    for name, tensor in tensors.items():
        target = _counterpart(name, as_encoder=as_encoder)
        if target in state and tuple(state[target].shape) == tensor.shape:
            state[target] = torch.from_numpy(np.array(tensor))
            taken += 1
    graph.network.network.load_state_dict(state)
    return taken


def _counterpart(name: str, *, as_encoder: bool) -> str:
    is_encoder = name.startswith("encoder.")
    if is_encoder and not as_encoder:
        return name.removeprefix("encoder.")
    if as_encoder and not is_encoder and name.startswith("_") and not name.startswith(_HEAD):
        return f"encoder.{name}"
    return name


def imagenet(graph: Graph, config: GraphConfig) -> None:
    """Fill the encoder with weights learned on ImageNet, downloading them.

    Args:
        graph: The graph to change.
        config: What it was built from.

    Raises:
        DownloadError: If the weights cannot be fetched.
    """
    name = config.network.encoder
    try:
        source = EfficientNet.from_pretrained(name)
    except (OSError, RuntimeError) as error:
        msg = f"cannot fetch the ImageNet weights of {name}: {error}. Use --init scratch or a file"
        raise DownloadError(msg) from error
    tensors = {key: value.numpy() for key, value in source.state_dict().items()}
    if config.preprocessing.channels == 1:
        # A grey image is three equal channels, so the sum of the filters sees the same.
        tensors[_STEM] = tensors[_STEM].sum(axis=1, keepdims=True)
    transfer(graph, {key: value for key, value in tensors.items() if not key.startswith(_HEAD)})
