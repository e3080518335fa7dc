"""Convert a graph into a network for OpenVINO, and compare the two.

``torch.export`` writes the graph down for images of one size and batches of any
length; OpenVINO reads that. The comparison runs both in float32 on the images
that the network is converted for.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

from steel_defect_detection.errors import InferenceError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.runtimes import tracing
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.openvino_core import core
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

TOLERANCE = 1e-3
"""Largest difference of a probability that counts as the same answer."""


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

    Raises:
        CheckpointError: If the weights do not fit the graph.
        InferenceError: If the network cannot be converted, or does not say
            then what PyTorch says.
    """
    graph = graphs.build(config)
    weights.restore(graph, tensors)
    try:
        network = openvino_network(graph.eval(), inputs)
    except Exception as error:  # the two libraries raise many kinds, and none promises which
        what = " ".join(str(error).split())[:200]
        msg = f"{config.network.encoder} cannot be converted: {what}. Use --runtime pytorch"
        raise InferenceError(msg) from error
    expected = PyTorchRuntime(config, tensors, device="cpu", precision="float32")
    parity = compare(expected.run(**inputs), _run(network, inputs))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "network.xml"
        openvino.save_model(network, path, compress_to_fp16=False)
        return Entry(path.read_bytes(), path.with_suffix(".bin").read_bytes(), parity)


def compare(
    expected: Mapping[str, NDArray[np.float32]], found: Mapping[str, NDArray[np.float32]]
) -> dict[str, float]:
    """Compare what two engines say.

    Args:
        expected: What PyTorch says, by name.
        found: What the other says.

    Returns:
        Largest difference by name.

    Raises:
        InferenceError: If a probability differs by more than ``TOLERANCE``.
    """
    differences = {}
    for name, array in expected.items():
        gap = np.abs(array - found[name]) if array.shape == found[name].shape else np.inf
        differences[name] = float(np.max(gap, initial=0.0))
        if "probabilit" in name and not differences[name] <= TOLERANCE:
            msg = (
                f"the converted network differs from PyTorch: {name} by {differences[name]:.3g}, "
                f"and {TOLERANCE:g} is allowed. Use --runtime pytorch"
            )
            raise InferenceError(msg)
    return differences


def openvino_network(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> openvino.Model:
    """Convert a graph, in evaluation mode, for inputs of these shapes and batches of any length."""
    exported = tracing.write_down(graph, inputs)
    # What openvino.convert_model does, without its reports to a server.
    reader = FrontEndManager().load_by_framework("pytorch")
    # The reader does not keep the program alive by itself.
    with tracing.without_remarks():
        program = TorchFXPythonDecoder.from_exported_program(exported)
    network = reader.convert(reader.load(program))
    # What a graph takes and does not use is not among the inputs of the network.
    names = dict(zip(exported.graph_signature.user_inputs, inputs, strict=True))
    for port in network.inputs:
        name = next(names[found] for found in port.get_names() if found in names)
        shape = openvino.PartialShape([-1, *inputs[name].shape[1:]])
        port.get_node().set_partial_shape(shape)
        port.get_tensor().set_names({name})
    network.validate_nodes_and_infer_types()
    for port, name in zip(network.outputs, graph.outputs, strict=True):
        port.get_tensor().set_names({name})
    return network


def _run(
    network: openvino.Model, inputs: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[np.float32]]:
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core().compile_model(network, "CPU", settings)
    answers = compiled(
        {port.get_any_name(): inputs[port.get_any_name()] for port in compiled.inputs}
    )
    return {port.get_any_name(): np.array(answers[port]) for port in compiled.outputs}
