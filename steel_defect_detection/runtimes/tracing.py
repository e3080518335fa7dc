"""What all converters begin with: a graph, written down by ``torch.export``."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph

_LOG = logging.getLogger(__name__)


def prepare(
    config: GraphConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    inputs: Mapping[str, NDArray[Any]],
) -> Graph:
    """Build the graph that is to be converted, and say that it is.

    Args:
        config: The graph.
        tensors: Its weights by name.
        inputs: What it is to be run on first, by name.

    Returns:
        The graph in evaluation mode.

    Raises:
        CheckpointError: If the weights do not fit the graph.
    """
    graph = weights.restored(config, tensors)
    height, width = inputs["images"].shape[1:3]
    kind = config.network.kind.replace("_", "-")
    _LOG.info(
        "converting the %s for images of %d x %d pixels, once: that may take a minute",
        kind,
        width,
        height,
    )
    return graph


@contextmanager
def refusing(config: GraphConfig) -> Iterator[None]:
    """Name the network that a converter gave up on.

    Args:
        config: Its graph.

    Raises:
        ConversionError: If anything is raised inside: the converters raise many
            kinds, and none promises which.
    """
    try:
        yield
    except Exception as error:
        what = " ".join(str(error).split())[:200]
        msg = f"{config.network.encoder} cannot be converted: {what}. Use --runtime pytorch"
        raise ConversionError(msg) from error


def write_down(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> ExportedProgram:
    """Write a graph down for images of one size and batches of any length.

    Args:
        graph: The graph, in evaluation mode; a layer that only saves memory in
            training is exchanged for its plain form.
        inputs: What it takes, by name and in its order.
    """
    for layer in graph.modules():
        # The swish of efficientnet-pytorch that saves memory cannot be written down.
        if hasattr(layer, "set_swish"):
            swish: Any = layer
            swish.set_swish(memory_efficient=False)
    # A batch of one would be taken for the only length there is.
    examples = [torch.from_numpy(np.repeat(array[:1], 2, axis=0)) for array in inputs.values()]
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    shapes: Any = (batch,) if len(examples) == 1 else (batch, (batch,) * (len(examples) - 1))
    return torch.export.export(graph, tuple(examples), dynamic_shapes=shapes)
