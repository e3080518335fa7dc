"""Convert a graph into a network for OpenVINO, and compare the two.

``torch.export`` writes the graph down for images of one size and batches of any
length; OpenVINO reads that. Both run in float32 on the built-in sample strips,
cut to that size, and their answers must be the same but for rounding. Where the
processor has bfloat16, the network runs in it too, and how far it still decides
alike is kept with it.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

from steel_defect_detection import images
from steel_defect_detection.errors import InferenceError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.runtimes import tracing
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.openvino_core import core
from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

AGREEMENT = "bfloat16_agreement"
"""How far the network decides alike in bfloat16, 0 to 1, beside the differences by output."""

TOLERANCE = 1e-3
"""Largest difference of a probability that counts as the same answer."""

_LOG = logging.getLogger(__name__)

# Six strips of 1600 x 256 pixels; of larger images fewer are compared, but always one.
_MOST_PIXELS = 2_500_000


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
        InferenceError: If the network cannot be converted, or does not say
            then what PyTorch says.
    """
    graph = graphs.build(config)
    weights.restore(graph, tensors)
    height, width = inputs["images"].shape[1:3]
    _LOG.info(
        "converting the %s for images of %d x %d pixels, once",
        config.network.kind.replace("_", "-"),
        width,
        height,
    )
    try:
        network = openvino_network(graph.eval(), inputs)
    except Exception as error:  # the two libraries raise many kinds, and none promises which
        what = " ".join(str(error).split())[:200]
        msg = f"{config.network.encoder} cannot be converted: {what}. Use --runtime pytorch"
        raise InferenceError(msg) from error
    pytorch = PyTorchRuntime(config, tensors, device="cpu", precision="float32")
    examples = list(_examples(inputs))
    exact = _run(network, examples, "f32")
    parity = compare(_joined([pytorch.run(**example) for example in examples]), exact)
    if "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        parity[AGREEMENT] = agreement(exact, _run(network, examples, "bf16"))
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


def agreement(
    exact: Mapping[str, NDArray[np.float32]], rough: Mapping[str, NDArray[np.float32]]
) -> float:
    """How far two precisions decide alike.

    Args:
        exact: Answers in float32, by name.
        rough: Answers in the other precision.

    Returns:
        0 to 1, the least over the probabilities: of whole images 1 less the
        largest difference, of pixels the Dice of what reaches 1/2.
    """
    found = [1.0]
    for name, array in exact.items():
        if "probabilit" not in name:
            continue
        if not np.isfinite(rough[name]).all():
            return 0.0
        if array.ndim < 4:
            found.append(1 - float(np.max(np.abs(array - rough[name]), initial=0.0)))
            continue
        one, other = array >= 0.5, rough[name] >= 0.5
        both = int(one.sum()) + int(other.sum())
        found.append(2 * int((one & other).sum()) / both if both else 1.0)
    return min(found)


def _examples(inputs: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    """The sample strips, repeated and cut to the images' size; or the inputs, if more is taken."""
    if len(inputs) > 1:
        yield dict(inputs)
        return
    height, width, channels = inputs["images"].shape[1:]
    folder = resources.files("steel_defect_detection") / "samples" / "train_images"
    paths = images.find([Path(str(folder))])
    for path in paths[: max(_MOST_PIXELS // (height * width), 1)]:
        strip = images.read(path)
        times = (-(-height // strip.shape[0]), -(-width // strip.shape[1]), 1)
        yield {"images": np.tile(strip, times)[None, :height, :width, :channels]}


def _joined(
    answers: list[dict[str, NDArray[np.float32]]],
) -> dict[str, NDArray[np.float32]]:
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


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
    network: openvino.Model, examples: list[dict[str, NDArray[Any]]], precision: str
) -> dict[str, NDArray[np.float32]]:
    compiled = core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    taken = [port.get_any_name() for port in network.inputs]
    given = [port.get_any_name() for port in network.outputs]
    answers = [compiled({name: example[name] for name in taken}) for example in examples]
    return _joined([dict(zip(given, answer.to_tuple(), strict=True)) for answer in answers])
