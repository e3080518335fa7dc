"""OpenVINO files: layers in ``.xml``, weights in ``.bin``.

The description is an entry of ``rt_info``, the part of the ``.xml`` that is for
whoever makes the file.
"""

import hashlib
import html
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.export.description import KEY, StoredPrecision
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.runtime import Arrays, Run

SUFFIX = ".xml"
PRECISIONS: tuple[StoredPrecision, ...] = ("float32", "float16", "int8")
LIBRARIES: tuple[str, ...] = ("torch", "openvino")

_ENTRY = re.compile(f'<{KEY} value="([^"]*)"'.encode())
_OURS = re.compile("images|feature_[1-5]|(class_|defect_)?probabilit(y|ies)|familiarity")


def convert(config: GraphConfig, tensors: Arrays, inputs: Arrays) -> Any:
    """Convert a graph to an ``openvino.Model``."""
    from steel_defect_detection.models import weights
    from steel_defect_detection.runtimes.convert_openvino import openvino_network

    graph = weights.restored(config, tensors)
    return openvino_network(graph, inputs)


def runner(
    network: Any,
) -> Run:
    """Make ready to run a network that was not written yet; nncf has compiled it already."""
    import openvino

    from steel_defect_detection.runtimes.openvino_network import OpenVINONetwork

    if isinstance(network, openvino.CompiledModel):
        return _runner(network)
    return OpenVINONetwork(network).run


def save(network: Any, path: Path, *, half: bool) -> None:
    """Write a network, with an empty description."""
    import openvino

    network.set_rt_info("", KEY)
    openvino.save_model(network, path, compress_to_fp16=half)


def describe(path: Path, text: str) -> None:
    """Fill the description in."""
    entry = f'<{KEY} value="{html.escape(text)}"'.encode()
    path.write_bytes(_ENTRY.sub(lambda _: entry, path.read_bytes(), count=1))


def inspect(path: Path) -> tuple[str | None, str]:
    """Read the description, if there is one, and the hash of all the rest."""
    layers, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    found = _ENTRY.search(layers)
    rest = layers
    if found is not None:
        rest = layers[: found.start(1)] + layers[found.end(1) :]
    parts = [hashlib.sha256(part).digest() for part in (rest, weights)]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    return html.unescape(found[1].decode()) if found and found[1] else None, digest


def load(path: Path, threads: int) -> Run:
    """Load a network so that several threads may run it at the same time."""
    from steel_defect_detection.runtimes.openvino_network import OpenVINONetwork

    weights = path.with_suffix(".bin").read_bytes()
    return OpenVINONetwork.read(path.read_bytes(), weights, threads=threads).run


def _runner(
    compiled: Any,
) -> Run:
    taken = [_name(port) for port in compiled.inputs]
    given = [_name(port) for port in compiled.outputs]

    def run(inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        # A request of its own: the one that a network keeps is for one thread at a time.
        answers = compiled.infer_new_request({name: inputs[name] for name in taken})
        return dict(zip(given, answers.to_tuple(), strict=True))

    return run


def _name(port: Any) -> str:
    """Our name of a port; compiling adds the names of layers that it joins."""
    return next(str(name) for name in sorted(port.get_names()) if _OURS.fullmatch(name))
