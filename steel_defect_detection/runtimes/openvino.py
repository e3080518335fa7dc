"""OpenVINO as a runtime, on the processor.

A network is converted for each size of images that it meets, once: what was
converted is kept in the user's cache folder, so that a second start needs
neither PyTorch nor the converter. Each image is computed by one thread, and
several images at the same time: that wastes no core.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import version
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from steel_defect_detection.errors import DeviceError, InferenceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes import cache
from steel_defect_detection.runtimes.openvino_core import core
from steel_defect_detection.runtimes.processor import cores
from steel_defect_detection.runtimes.runtime import Precision

_FORM = 3
"""Raised whenever networks are converted in another way."""

_LEAST_AGREEMENT = 0.95
"""How far a network must decide alike in bfloat16 for it to be used unasked."""

_MOST_SIZES = 8
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_CONVERTERS = ("openvino", "torch", "efficientnet-pytorch", "segmentation-models-pytorch")


class OpenVINORuntime:
    """A graph in OpenVINO.

    Args:
        config: The graph to convert.
        tensors: Its weights by name.
        precision: ``auto`` is bfloat16 where the processor has it and the
            network decides alike in it, and float32 otherwise.
        threads: Processor threads in all; 0 for as many as there are cores.

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
        versions = {name: version(name) for name in _CONVERTERS}
        self._identity = [_FORM, _hash(tensors), config.model_dump(mode="json"), versions]
        self._precisions = _find_precisions(precision)
        self._threads = threads or cores()
        self._lock = Lock()
        self._networks: OrderedDict[str, _Network | InferenceError] = OrderedDict()
        self._used = self._precisions[0]

    @property
    def name(self) -> str:
        """Engine, device and precision, the latter as last used."""
        return f"openvino cpu {self._used}"

    @property
    def parallel(self) -> int:
        """As many threads as compute."""
        return self._threads

    @property
    def grey(self) -> bool:
        """Whether the network sees brightness only."""
        return self._config.preprocessing.channels == 1

    def knows(self, images: NDArray[np.uint8], **features: NDArray[np.float32]) -> bool:
        """Whether the network for images of this size is converted already.

        Args:
            images: As ``run`` takes them.
            **features: As ``run`` takes them.
        """
        key = self._key({"images": images, **features})
        return key in self._networks or cache.load(key) is not None

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
            InferenceError: If the network cannot be converted, or does not say
                then what PyTorch says.
        """
        inputs: dict[str, NDArray[Any]] = {"images": images, **features}
        return self._network(inputs).run(inputs)

    def _network(self, inputs: Mapping[str, NDArray[Any]]) -> "_Network":
        """The network for inputs of these shapes; of many sizes the latest ones are kept."""
        key = self._key(inputs)
        with self._lock:
            if key not in self._networks:
                try:
                    self._networks[key] = self._open(key, inputs)
                except InferenceError as error:
                    # Remembered: the next image would wait as long for the same refusal.
                    self._networks[key] = error
            self._networks.move_to_end(key)
            while len(self._networks) > _MOST_SIZES:
                self._networks.popitem(last=False)
            network = self._networks[key]
        if isinstance(network, InferenceError):
            raise network
        self._used = network.precision
        return network

    def _open(self, key: str, inputs: Mapping[str, NDArray[Any]]) -> "_Network":
        entry = cache.load(key)
        if entry is None:
            # Imported late: a second start needs no torch.
            from steel_defect_detection.runtimes.convert import convert

            entry = convert(self._config, self._tensors, inputs)
            cache.store(key, entry)
        # What another processor converted may lack the comparison.
        agrees = entry.parity.get("bfloat16_agreement", 0.0) >= _LEAST_AGREEMENT
        precision = self._precisions[0] if agrees else self._precisions[-1]
        return _Network(entry, precision, self._threads)

    def _key(self, inputs: Mapping[str, NDArray[Any]]) -> str:
        """Hash of all that a converted network depends on."""
        shapes = {name: array.shape[1:] for name, array in inputs.items()}
        content = json.dumps([*self._identity, shapes], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class _Network:
    """A converted network, ready for several threads."""

    def __init__(self, entry: cache.Entry, precision: str, threads: int) -> None:
        self.precision = precision
        network = core().read_model(entry.network, entry.weights)
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": threads,
            "INFERENCE_NUM_THREADS": threads,
        }
        # From before compiling, which gives an answer the names of what it was joined with, too.
        self._taken = [port.get_any_name() for port in network.inputs]
        self._given = [port.get_any_name() for port in network.outputs]
        self._compiled = core().compile_model(network, "CPU", settings)
        self._idle: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(self._compiled.create_infer_request())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        request = self._idle.get()
        try:
            answers = request.infer({name: inputs[name] for name in self._taken}, share_inputs=True)
            return dict(zip(self._given, answers.to_tuple(), strict=True))
        finally:
            self._idle.put(request)


def _hash(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.blake2b()
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape} ".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()


def _find_precisions(precision: Precision) -> tuple[str, ...]:
    """Precisions to try, the wanted one first."""
    has_bfloat16 = "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "auto":
        return ("bfloat16", "float32") if has_bfloat16 else ("float32",)
    if precision not in _HINTS:
        msg = f"precision must be auto, float32 or bfloat16 on OpenVINO, got {precision!r}"
        raise DeviceError(msg)
    if precision == "bfloat16" and not has_bfloat16:
        msg = "this processor has no bfloat16, so it would be slower. Use --precision float32"
        raise DeviceError(msg)
    return (precision,)
