"""ONNX Runtime as a runtime, on the processor.

A network is converted for each size of images that it meets, once: what was
converted is kept in the user's cache folder, so that a second start needs
neither PyTorch nor the converter.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from threading import Lock
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from steel_defect_detection import extras
from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork
from steel_defect_detection.runtimes.processor import cores
from steel_defect_detection.runtimes.runtime import Precision

_FORM = 1
"""Raised whenever networks are converted in another way."""

_MOST_SIZES = 8
_CONVERTERS = ("onnxscript", "torch", "efficientnet-pytorch", "segmentation-models-pytorch")


class OnnxRuntime:
    """A graph in ONNX Runtime.

    Args:
        config: The graph to convert.
        tensors: Its weights by name.
        precision: ``auto`` is float32, and there is no other.
        threads: Processor threads in all, one per image; 0 for as many as there
            are cores.

    Raises:
        DeviceError: If another precision is asked for.
        MissingExtraError: If ONNX Runtime is not installed.
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
        if precision not in {"auto", "float32"}:
            msg = f"precision must be auto or float32 on ONNX Runtime, got {precision!r}"
            raise DeviceError(msg)
        extras.load("onnxruntime", extra="onnx")
        self._config = config
        self._tensors = tensors
        self._hash = hashlib.sha256(safetensors.numpy.save(dict(tensors))).hexdigest()
        self.parallel = threads or cores()
        self._networks: OrderedDict[str, OnnxNetwork] = OrderedDict()
        self._lock = Lock()
        self.name = "onnx cpu float32"

    @property
    def grey(self) -> bool:
        """Whether the network sees brightness only."""
        return self._config.preprocessing.channels == 1

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
            MissingExtraError: If the converter is needed and not installed.
        """
        inputs: dict[str, NDArray[Any]] = {"images": images, **features}
        with self._lock:
            network = self._network(inputs)
        return network.run(inputs)

    def _network(self, inputs: Mapping[str, NDArray[Any]]) -> OnnxNetwork:
        """The network for inputs of these shapes; of many sizes the latest ones are kept."""
        key = self._key(inputs)
        if key not in self._networks:
            entry = cache.load(key)
            if entry is None:
                # Imported late: a second start needs no torch.
                from steel_defect_detection.runtimes.convert_onnx import convert

                entry = convert(self._config, self._tensors, inputs)
                cache.store(key, entry)
            self._networks[key] = OnnxNetwork(entry.network, threads=1)
        self._networks.move_to_end(key)
        while len(self._networks) > _MOST_SIZES:
            self._networks.popitem(last=False)
        return self._networks[key]

    def _key(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        """Hash of all that a converted network depends on."""
        shapes = {name: array.shape[1:] for name, array in inputs.items()}
        versions = {name: version(name) for name in _CONVERTERS}
        content = ["onnx", _FORM, self._hash, self._config.model_dump(mode="json")]
        return hashlib.sha256(
            json.dumps([*content, shapes, versions], sort_keys=True).encode()
        ).hexdigest()
