"""Weights of a graph: into a checkpoint's arrays and back."""

from collections.abc import Mapping

import numpy as np
import torch
import torchvision
from efficientnet_pytorch import EfficientNet
from numpy.typing import NDArray
from torch import nn

from steel_defect_detection.errors import CheckpointError, ConfigError, DownloadError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.familiarity import PREFIX
from steel_defect_detection.models.graph import FamiliarGraph, Graph, PlainGraph, build, plain

HEADS = ("_fc.", "fc.", "classifier.")
"""What the last layers are called in the libraries: they know ImageNet's classes."""

_ENCODER = "encoder."


def arrays(graph: Graph) -> dict[str, NDArray[np.generic]]:
    """Copy the weights out of a graph, by name."""
    state = dict(graph.network.network.state_dict())
    if isinstance(graph, FamiliarGraph):
        state |= graph.familiarity.state_dict(prefix=PREFIX)
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def restore(graph: Graph, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    """Put weights into a graph; one without familiarity leaves that of the weights alone.

    Raises:
        CheckpointError: If names or shapes are not those of the graph.
    """
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in tensors.items()}
    of_network = {name: value for name, value in state.items() if not name.startswith(PREFIX)}
    familiar = {
        name.removeprefix(PREFIX): value for name, value in state.items() if name.startswith(PREFIX)
    }
    try:
        graph.network.network.load_state_dict(of_network)
        if isinstance(graph, FamiliarGraph):
            graph.familiarity.load_state_dict(familiar)
    except RuntimeError as error:
        lines = str(error).splitlines()
        msg = f"the weights do not fit the architecture: {lines[1].strip()[:200]}"
        raise CheckpointError(msg) from error


def restored(config: GraphConfig, tensors: Mapping[str, NDArray[np.generic]]) -> Graph:
    """Build a graph with these weights, in evaluation mode.

    Args:
        config: The graph.
        tensors: Its weights by name, as ``arrays`` gives them.

    Raises:
        CheckpointError: If names or shapes are not those of the graph.
    """
    graph = build(config)
    restore(graph, tensors)
    return graph.eval()


def restored_plain(config: GraphConfig, tensors: Mapping[str, NDArray[np.generic]]) -> PlainGraph:
    """Build a graph with these weights that does not say how familiar images are.

    Args:
        config: The graph.
        tensors: Its weights by name; those of familiarity are passed over.

    Raises:
        CheckpointError: If names or shapes are not those of the graph.
    """
    graph = plain(config)
    restore(graph, tensors)
    return graph.eval()


def encoder_names(graph: Graph) -> list[str]:
    """Names of the encoder's weights, as ``arrays`` has them."""
    parts = graph.network.encoder_parts()
    held = {id(weight) for part in parts for weight in part.parameters()}
    named = graph.network.network.named_parameters()
    return [name for name, weight in named if id(weight) in held]


def transfer(graph: Graph, tensors: Mapping[str, NDArray[np.generic]]) -> frozenset[str]:
    """Take over whatever fits from weights of another graph.

    An encoder is recognised both as classifier and below a decoder, so a gate
    can start from a segmenter's encoder and the other way round. A grey image is
    three equal channels, so weights for three channels are summed up for one,
    and a third of those for one is taken for each of three.

    Returns:
        Names of the graph's tensors that were taken over.
    """
    state = graph.network.network.state_dict()
    taken = set()
    for name, tensor in tensors.items():
        target = next((key for key in _counterparts(name) if key in state), None)
        if target is None:
            continue
        value = torch.from_numpy(np.array(tensor))
        if value.ndim == 4 and (value.shape[1], state[target].shape[1]) == (3, 1):
            value = value.sum(dim=1, keepdim=True)
        if value.ndim == 4 and (value.shape[1], state[target].shape[1]) == (1, 3):
            value = value.expand(-1, 3, -1, -1) / 3
        if state[target].shape == value.shape:
            state[target] = value
            taken.add(target)
    graph.network.network.load_state_dict(state)
    return frozenset(taken)


def _counterparts(name: str) -> tuple[str, ...]:
    """Names that a tensor may have in another network."""
    return name, name.removeprefix(_ENCODER), f"{_ENCODER}{name}"


def imagenet(
    graph: Graph,
    config: GraphConfig,
    *,
    with_head: bool = False,
    instead: str = "--init scratch, a file, or for efficientnet-b0 a built-in model such as strip",
) -> frozenset[str]:
    """Fill the encoder with weights learned on ImageNet, downloading them.

    Args:
        graph: The graph to change.
        config: What it was built from.
        with_head: Also fill the head, which must then know ImageNet's classes.
        instead: What to use where there are none, in words for the message.

    Returns:
        Names of the graph's tensors that were filled.

    Raises:
        DownloadError: If the weights cannot be fetched.
        ConfigError: If nobody publishes weights for that encoder.
    """
    name = config.network.encoder
    try:
        state = _published(name, instead)
    except (OSError, RuntimeError) as error:
        msg = f"cannot fetch the ImageNet weights of {name}: {error}. Use {instead}"
        raise DownloadError(msg) from error
    tensors = {
        key: value.numpy() for key, value in state.items() if with_head or not key.startswith(HEADS)
    }
    return transfer(graph, tensors)


def _published(encoder: str, instead: str) -> Mapping[str, torch.Tensor]:
    """Fetch an encoder's weights from those who publish them."""
    if encoder.startswith("efficientnet"):
        return _state(EfficientNet.from_pretrained(encoder))
    name = _TORCHVISION.get(encoder, encoder)
    if name not in torchvision.models.list_models():
        msg = f"no ImageNet weights are known for {encoder!r}. Use {instead}"
        raise ConfigError(msg)
    return _state(torchvision.models.get_model(name, weights="DEFAULT"))


def _state(network: nn.Module) -> Mapping[str, torch.Tensor]:
    return network.state_dict()


_TORCHVISION = {"shufflenet_v2": "shufflenet_v2_x1_0"}
