"""Layers: how near each one comes to what the machine could do, in OpenVINO.

A layer cannot be quicker than its arithmetic at the machine's peak, nor quicker
than its inputs, outputs and weights move through main memory. The larger of the
two is its bound; bound by measured time is its share. Small layers find their
inputs in the caches, which are quicker than main memory, so their share may
exceed 1.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from steel_defect_detection.benchmark.machine import Peaks
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.openvino_core import core
from steel_defect_detection.runtimes.openvino_network import HINTS

_WORST = 10


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer as the engine runs it.

    Args:
        name: What the engine calls it.
        kind: What it does.
        code: Which of the engine's programs does it.
        milliseconds: Median of the measured times.
        flop: Multiplications and additions.
        bytes_moved: Size of inputs, weights and outputs.
        bound_ms: What the machine needs at least.
    """

    name: str
    kind: str
    code: str
    milliseconds: float
    flop: float
    bytes_moved: float
    bound_ms: float


def measure(
    entry: Entry,
    pictures: Sequence[NDArray[np.uint8]],
    peaks: Peaks,
    *,
    precision: str,
    threads: int,
    repeats: int,
) -> dict[str, Any]:
    """Measure the layers of a network.

    Args:
        entry: The network, as it was converted.
        pictures: Images of the size that it was converted for, uint8, shape
            ``(height, width, 3)``.
        peaks: The most that the machine can do.
        precision: ``float32`` or ``bfloat16``.
        threads: Threads of the network.
        repeats: Runs that are timed.
    """
    network = core().read_model(entry.network, entry.weights)
    network.reshape({"images": (1, *pictures[0].shape)})
    settings = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "PERF_COUNT": True,
    }
    compiled = core().compile_model(network, "CPU", settings)
    taken = _times(compiled, pictures, repeats)
    peak = peaks.operations[precision]
    found = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        name = node.get_friendly_name()
        if name in taken:
            moved, flop = _bytes(node), flop_of(_kind(node), *_shapes(node))
            bound = max(flop / peak, moved / peaks.bytes_per_second) * 1000
            found.append(
                Layer(
                    name=name,
                    kind=_kind(node),
                    code=str(_note(node, "primitiveType")),
                    milliseconds=taken[name],
                    flop=flop,
                    bytes_moved=moved,
                    bound_ms=bound,
                )
            )
    return report(found, precision)


def report(layers: Sequence[Layer], precision: str) -> dict[str, Any]:
    """Say of a network what was measured of its layers.

    Args:
        layers: The layers.
        precision: Arithmetic of the network.
    """
    total = sum(layer.milliseconds for layer in layers)
    worst = sorted(layers, key=lambda layer: layer.bound_ms - layer.milliseconds)
    return {
        "precision": precision,
        "milliseconds": total,
        "bound_ms": sum(layer.bound_ms for layer in layers),
        "share": sum(layer.bound_ms for layer in layers) / total,
        "gflop": sum(layer.flop for layer in layers) / 1e9,
        "worst": [_row(layer) for layer in worst[:_WORST]],
        "layers": [_row(layer) for layer in layers],
    }


def flop_of(kind: str, inputs: Sequence[Sequence[int]], output: Sequence[int]) -> float:
    """Multiplications and additions of a layer; 0 where there is no product to speak of.

    Args:
        kind: What the layer does, as OpenVINO says.
        inputs: Shapes of its inputs, of which the second is the weights.
        output: Shape of its output.

    Example:
        >>> flop_of("Convolution", [(1, 3, 8, 8), (16, 3, 5, 5)], (1, 16, 8, 8))
        153600.0
    """
    if len(inputs) < 2:
        return 0.0
    weights = prod(inputs[1])
    if kind == "Convolution":
        return 2.0 * prod(output) * weights / output[1]
    if kind == "Deconvolution":
        return 2.0 * prod(inputs[0]) * weights / inputs[0][1]
    if kind in {"FullyConnected", "MatMul"}:
        return 2.0 * prod(output) * inputs[0][-1]
    return 0.0


def _times(
    compiled: openvino.CompiledModel, pictures: Sequence[NDArray[np.uint8]], repeats: int
) -> dict[str, float]:
    """Median milliseconds of each layer that ran."""
    request = compiled.create_infer_request()
    taken: dict[str, list[float]] = defaultdict(list)
    warm_up = 3
    for number in range(warm_up + repeats):
        request.infer({"images": pictures[number % len(pictures)][None]})
        if number < warm_up:
            continue
        for note in request.profiling_info:
            if note.status == note.EXECUTED:
                taken[note.node_name].append(note.real_time.total_seconds() * 1000)
    return {name: float(np.median(values)) for name, values in taken.items()}


def _row(layer: Layer) -> dict[str, Any]:
    share = layer.bound_ms / layer.milliseconds if layer.milliseconds else None
    return {**asdict(layer), "share": share}


def _note(node: Any, name: str) -> Any:
    value = node.get_rt_info()[name]
    return getattr(value, "value", value)


def _kind(node: Any) -> str:
    return str(_note(node, "layerType"))


def _shapes(node: Any) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    inputs = [tuple(port.get_shape()) for port in node.inputs()]
    return inputs, tuple(node.outputs()[0].get_shape()) if node.outputs() else ()


def _bytes(node: Any) -> float:
    ports = [*node.inputs(), *node.outputs()]
    return float(sum(prod(port.get_shape()) * port.get_element_type().size for port in ports))
