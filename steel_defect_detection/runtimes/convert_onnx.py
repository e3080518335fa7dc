"""Convert a graph into an ONNX network, and compare the two.

``torch.export`` writes the graph down for images of one size and batches of any
length; ``torch.onnx`` translates that.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection import extras
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.runtimes import parity, tracing
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork


def convert(
    config: GraphConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    inputs: Mapping[str, NDArray[Any]],
) -> Entry:
    """Convert a network for images of one size.

    Args:
        config: The graph.
        tensors: Its weights by name.
        inputs: What it is to be run on first, by name; the converted network
            takes the same shapes, in batches of any length.

    Returns:
        The network with its largest differences from PyTorch by output; its
        weights are part of it.

    Raises:
        CheckpointError: If the weights do not fit the graph.
        ConversionError: If the network cannot be converted, or does not say
            then what PyTorch says.
        MissingExtraError: If the converter is not installed.
    """
    extras.load("onnxscript", extra="onnx")
    graph = tracing.prepare(config, tensors, inputs)
    with tracing.refusing(config):
        network = to_onnx(graph, inputs).SerializeToString()
    examples = list(parity.examples(inputs))
    ready = OnnxNetwork(network)
    found = parity.join([ready.run(example) for example in examples])
    return Entry(network, b"", parity.compare(parity.expected(config, tensors, examples), found))


def to_onnx(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> Any:
    """Convert a graph, in evaluation mode, for inputs of these shapes and batches of any length.

    Returns:
        An ``onnx.ModelProto``.
    """
    program = torch.onnx.export(
        tracing.write_down(graph, inputs),
        dynamo=True,
        input_names=list(inputs),
        output_names=list(graph.outputs),
        verbose=False,
    )
    if program is None:  # what it returns when it writes a file itself
        msg = "torch.onnx.export returned nothing"
        raise TypeError(msg)
    return program.model_proto
