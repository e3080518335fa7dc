"""OpenVINO as a runtime, on the processor."""

from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any, ClassVar

import numpy as np
import openvino
from numpy.typing import NDArray

from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.cache import AGREEMENT, Entry
from steel_defect_detection.runtimes.converted import ConvertedRuntime
from steel_defect_detection.runtimes.openvino_core import core, has_bfloat16
from steel_defect_detection.runtimes.runtime import Precision

_LEAST_AGREEMENT = 0.95
"""How far a network must decide alike in bfloat16 for it to be used unasked."""

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVINONetwork:
    """A converted network in OpenVINO.

    Args:
        entry: The network.
        precision: ``float32`` or ``bfloat16``.
        threads: Images that are computed at the same time, each by one thread.
    """

    def __init__(self, entry: Entry, precision: str, threads: int) -> None:
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
        """Run the network.

        Args:
            inputs: Arrays by name; those that it does not take are passed over.
        """
        request = self._idle.get()
        try:
            answers = request.infer({name: inputs[name] for name in self._taken}, share_inputs=True)
            return dict(zip(self._given, answers.to_tuple(), strict=True))
        finally:
            self._idle.put(request)


class OpenVINORuntime(ConvertedRuntime[OpenVINONetwork]):
    """A graph in OpenVINO.

    Args:
        config: The graph to convert.
        tensors: Its weights by name.
        precision: ``auto`` is bfloat16 where the processor has it and the
            network decides alike in it, and float32 otherwise.
        threads: Processor threads in all, one per image; 0 for as many as there
            are cores.

    Raises:
        DeviceError: If the processor cannot compute in that precision.
    """

    FORM: ClassVar[str] = "openvino 4"
    CONVERTERS: ClassVar[tuple[str, ...]] = (
        "openvino",
        "torch",
        "efficientnet-pytorch",
        "segmentation-models-pytorch",
    )

    def __init__(
        self,
        config: GraphConfig,
        tensors: Mapping[str, NDArray[np.generic]],
        *,
        precision: Precision = "auto",
        threads: int = 0,
    ) -> None:
        """Wait for the first images: their size decides what is converted."""
        self._precisions = _find_precisions(precision)
        self._used = self._precisions[0]
        super().__init__(config, tensors, threads=threads)

    @property
    def name(self) -> str:
        """Engine, device and precision, the latter of the network that was opened last."""
        return f"openvino cpu {self._used}"

    def _convert(self, inputs: Mapping[str, NDArray[Any]]) -> Entry:
        # Imported late: a second start needs no torch.
        from steel_defect_detection.runtimes.convert_openvino import convert

        return convert(self._config, self._tensors, inputs)

    def _ready(self, entry: Entry) -> OpenVINONetwork:
        # What another processor converted may lack the comparison.
        agrees = entry.parity.get(AGREEMENT, 0.0) >= _LEAST_AGREEMENT
        self._used = self._precisions[0] if agrees else self._precisions[-1]
        return OpenVINONetwork(entry, self._used, self._threads)


def _find_precisions(precision: Precision) -> tuple[str, ...]:
    """Precisions to try, the wanted one first."""
    if precision == "auto":
        return ("bfloat16", "float32") if has_bfloat16() else ("float32",)
    if precision not in _HINTS:
        msg = f"precision must be auto, float32 or bfloat16 on OpenVINO, got {precision!r}"
        raise DeviceError(msg)
    if precision == "bfloat16" and not has_bfloat16():
        msg = "this processor has no bfloat16, so it would be slower. Use --precision float32"
        raise DeviceError(msg)
    return (precision,)
