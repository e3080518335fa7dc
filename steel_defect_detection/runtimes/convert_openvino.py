"""Convert a graph into a network for OpenVINO, and compare the two.

``torch.export`` writes the graph down for images of one size and batches of any
length; OpenVINO reads that. Where the processor has bfloat16, the network runs
in it too, and how far it still decides alike is kept with it.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.runtimes import parity, tracing
from steel_defect_detection.runtimes.cache import AGREEMENT, Entry
from steel_defect_detection.runtimes.openvino_core import has_bfloat16
from steel_defect_detection.runtimes.openvino_network import OpenVINONetwork


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
        The network with its largest differences from PyTorch by output, and,
        where the processor has bfloat16, with ``AGREEMENT``.

    Raises:
        CheckpointError: If the weights do not fit the graph.
        ConversionError: If the network cannot be converted, or does not say
            then what PyTorch says.
    """
    graph = tracing.prepare(config, tensors, inputs)
    with tracing.refusing(config):
        network = openvino_network(graph, inputs)
    examples = list(parity.examples(inputs))
    exact = _run(network, examples, "float32")
    compared = parity.compare(parity.expected(config, tensors, examples), exact)
    if has_bfloat16():
        compared[AGREEMENT] = parity.agreement(exact, _run(network, examples, "bfloat16"))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "network.xml"
        openvino.save_model(network, path, compress_to_fp16=False)
        return Entry(path.read_bytes(), path.with_suffix(".bin").read_bytes(), compared)


def openvino_network(graph: Graph, inputs: Mapping[str, NDArray[Any]]) -> openvino.Model:
    """Convert a graph, in evaluation mode, for inputs of these shapes and batches of any length."""
    exported = tracing.write_down(graph, inputs)
    # What openvino.convert_model does, without its reports to a server.
    reader = FrontEndManager().load_by_framework("pytorch")
    # The reader does not keep the program alive by itself.
    with _without_remarks():
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
    network: openvino.Model, examples: Sequence[Mapping[str, NDArray[Any]]], precision: str
) -> dict[str, NDArray[np.float32]]:
    ready = OpenVINONetwork(network, precision=precision)
    return parity.join([ready.run(example) for example in examples])


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep OpenVINO from printing tracebacks about rules that a newer PyTorch no longer has.

    It says so with ``logging.warning`` for each rule that it wants to leave out
    and that is not there to be left out, which changes nothing.
    """

    def is_worth_saying(record: logging.LogRecord) -> bool:
        return "not found in decomp table" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(is_worth_saying)
    try:
        yield
    finally:
        root.removeFilter(is_worth_saying)
