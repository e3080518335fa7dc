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
from steel_defect_detection.errors import InferenceError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.runtimes import tracing
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.convert import compare
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime


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
        The network; its weights are part of it.

    Raises:
        CheckpointError: If the weights do not fit the graph.
        InferenceError: If the network cannot be converted, or does not say
            then what PyTorch says.
        MissingExtraError: If the converter is not installed.
    """
    extras.load("onnxscript", extra="onnx")
    graph = graphs.build(config)
    weights.restore(graph, tensors)
    try:
        network = to_onnx(graph.eval(), inputs).SerializeToString()
    except Exception as error:  # the libraries raise many kinds, and none promises which
        what = " ".join(str(error).split())[:200]
        msg = f"{config.network.encoder} cannot be converted: {what}. Use --runtime pytorch"
        raise InferenceError(msg) from error
    expected = PyTorchRuntime(config, tensors, device="cpu", precision="float32")
    parity = compare(expected.run(**inputs), OnnxNetwork(network).run(inputs))
    return Entry(network, b"", parity)


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
