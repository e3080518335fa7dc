"""OpenVINO as a runtime, on the processor.

A network is converted for each size of images that it meets, once: what was
converted is kept in the user's cache folder, so that a second start needs
neither PyTorch nor the converter.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.openvino_core import core
from steel_defect_detection.runtimes.runtime import Precision

_FORM = 1
"""Raised whenever networks are converted in another way."""

_MOST_SIZES = 8
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_CONVERTERS = ("openvino", "torch", "efficientnet-pytorch", "segmentation-models-pytorch")


class OpenVINORuntime:
    """A graph in OpenVINO.

    Args:
        config: The graph to convert.
        tensors: Its weights by name.
        precision: ``auto`` is float32.
        threads: Threads per network; 0 for as many as there are cores.

    Raises:
        DeviceError: If the processor cannot compute in that precision.
    """

    def __init__(
        self,
        config: GraphConfig,
        tensors: Mapping[str, NDArray[np.generic]],
        *,
        precision: Precision = "auto",
        threads: int = 0,
    ) -> None:
        """Wait for the first images: their size decides what is converted."""
        self._config = config
        self._tensors = tensors
        self._hash = _hash(tensors)
        self._precision = _find_precision(precision)
        self._settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
        }
        self._compiled: OrderedDict[str, openvino.CompiledModel] = OrderedDict()
        self.name = f"openvino cpu {self._precision}"

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size;
                the first of each size takes seconds, unless the size is known
                from an earlier start.
            **features: What the network takes beside the images, by name.

        Raises:
            CheckpointError: If the weights do not fit the graph.
            InferenceError: If the converted network does not say what PyTorch
                says.
        """
        inputs: dict[str, NDArray[Any]] = {"images": images, **features}
        compiled = self._network(inputs)
        taken = {port.get_any_name() for port in compiled.inputs}
        answers = compiled({name: inputs[name] for name in taken})
        return {port.get_any_name(): np.array(answers[port]) for port in compiled.outputs}

    def _network(self, inputs: Mapping[str, NDArray[Any]]) -> openvino.CompiledModel:
        """The network for inputs of these shapes; of many sizes the latest ones are kept."""
        key = self._key(inputs)
        if key not in self._compiled:
            entry = cache.load(key)
            if entry is None:
                # Imported late: a second start needs no torch.
                from steel_defect_detection.runtimes.convert import convert

                entry = convert(self._config, self._tensors, inputs)
                cache.store(key, entry)
            network = core().read_model(entry.network, entry.weights)
            self._compiled[key] = core().compile_model(network, "CPU", self._settings)
        self._compiled.move_to_end(key)
        while len(self._compiled) > _MOST_SIZES:
            self._compiled.popitem(last=False)
        return self._compiled[key]

    def _key(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        """Hash of all that a converted network depends on."""
        shapes = {name: array.shape[1:] for name, array in inputs.items()}
        versions = {name: version(name) for name in _CONVERTERS}
        content = [_FORM, self._hash, self._config.model_dump(mode="json"), shapes, versions]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _hash(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.blake2b()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape} ".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _find_precision(precision: Precision) -> str:
    if precision == "auto":
        return "float32"
    if precision not in _HINTS:
        msg = f"precision must be auto, float32 or bfloat16 on OpenVINO, got {precision!r}"
        raise DeviceError(msg)
    able = core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bfloat16" and "BF16" not in able:
        msg = "this processor has no bfloat16, so it would be slower. Use --precision float32"
        raise DeviceError(msg)
    return precision
