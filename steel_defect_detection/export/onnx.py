"""ONNX files. The description is an entry of ``metadata_props``, at the end of the file."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from steel_defect_detection import extras
from steel_defect_detection.export.description import KEY, StoredPrecision
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork
from steel_defect_detection.runtimes.runtime import Arrays, Run

SUFFIX = ".onnx"
PRECISIONS: tuple[StoredPrecision, ...] = ("float32", "float16", "int8")
LIBRARIES: tuple[str, ...] = ("torch", "onnx", "onnxscript", "onnxruntime")

# Numbers of the fields, and the sign of one with a length, in
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
# https://protobuf.dev/programming-guides/encoding/
_METADATA_PROPS, _ENTRY_KEY, _ENTRY_VALUE = 14, 1, 2
_HAS_LENGTH = 2
# Shorter arrays are shapes, and scales that are worth their precision.
_LEAST_HALVED = 256


def convert(config: GraphConfig, tensors: Arrays, inputs: Arrays) -> Any:
    """Convert a graph to an ``onnx.ModelProto``."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        extras.load(package, extra="onnx")
    from steel_defect_detection.models import weights
    from steel_defect_detection.runtimes.convert_onnx import to_onnx

    graph = weights.restored(config, tensors)
    return to_onnx(graph, inputs)


def runner(
    network: Any,
) -> Run:
    """Make ready to run a network that was not written yet."""
    return OnnxNetwork(network.SerializeToString()).run


def save(network: Any, path: Path, *, half: bool) -> None:
    """Write a network, without a description."""
    network.ClearField("metadata_props")
    path.write_bytes((_halved(network) if half else network).SerializeToString())


def describe(path: Path, text: str) -> None:
    """Append the description: what is appended to such a file is merged into it."""
    path.write_bytes(path.read_bytes() + _entry(text))


def inspect(path: Path) -> tuple[str | None, str]:
    """Read the description, if there is one, and the hash of all the rest."""
    data = path.read_bytes()
    text = _last_entry(data)
    rest = data if text is None else data[: -len(_entry(text))]
    return text, hashlib.sha256(rest).hexdigest()


def load(path: Path, threads: int) -> Run:
    """Load a network so that several threads may run it at the same time."""
    del threads  # each caller's image is computed by one
    return OnnxNetwork(path.read_bytes(), threads=1).run


def _entry(text: str) -> bytes:
    key, value = _field(_ENTRY_KEY, KEY.encode()), _field(_ENTRY_VALUE, text.encode())
    return _field(_METADATA_PROPS, key + value)


def _field(number: int, content: bytes) -> bytes:
    """One field with a length, as protobuf writes it."""
    return bytes([number << 3 | _HAS_LENGTH]) + _length(len(content)) + content


def _length(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first; all but the last are marked."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def _last_entry(data: bytes) -> str | None:
    """The description, if the file ends with it."""
    start = data.rfind(_field(_ENTRY_KEY, KEY.encode()))
    if start < 0:
        return None
    # Behind the key: the sign of the value, its length in groups of seven bits, and the value.
    value = data[start + len(KEY) + 3 :]
    while value and value[0] & 128:
        value = value[1:]
    try:
        text = value[1:].decode()
    except UnicodeDecodeError:
        return None
    return text if data.endswith(_entry(text)) else None


def _halved(network: Any) -> Any:
    """Store large arrays as float16, and turn them into float32 as the network starts."""
    onnx = extras.load("onnx", extra="onnx")
    numpy_helper = extras.load("onnx.numpy_helper", extra="onnx")
    casts = []
    for tensor in network.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < _LEAST_HALVED:
            continue
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.float16"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *network.graph.node]
    network.graph.ClearField("node")
    network.graph.node.extend(nodes)
    return network
