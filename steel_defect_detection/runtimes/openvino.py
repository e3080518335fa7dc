"""OpenVINO as a runtime, on the processor."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.cache import AGREEMENT, Entry
from steel_defect_detection.runtimes.converted import ConvertedRuntime
from steel_defect_detection.runtimes.openvino_core import has_bfloat16
from steel_defect_detection.runtimes.openvino_network import HINTS, OpenVINONetwork
from steel_defect_detection.runtimes.runtime import Precision

_LEAST_AGREEMENT = 0.95
"""How far a network must decide alike in bfloat16 for it to be used unasked."""


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

    @property
    def precision(self) -> str:
        """Arithmetic of the network that was opened last."""
        return self._used

    @property
    def parallel(self) -> int:
        """Twice as many as compute: while some make masks of answers, questions wait here."""
        return 2 * self._threads

    def _convert(self, inputs: Mapping[str, NDArray[Any]]) -> Entry:
        # Imported late: a second start needs no torch.
        from steel_defect_detection.runtimes.convert_openvino import convert

        return convert(self._config, self._tensors, inputs)

    def _ready(self, entry: Entry) -> OpenVINONetwork:
        # What another processor converted may lack the comparison.
        agrees = entry.parity.get(AGREEMENT, 0.0) >= _LEAST_AGREEMENT
        self._used = self._precisions[0] if agrees else self._precisions[-1]
        return OpenVINONetwork.read(
            entry.network, entry.weights, precision=self._used, threads=self._threads
        )


def _find_precisions(precision: Precision) -> tuple[str, ...]:
    """Precisions to try, the wanted one first."""
    if precision == "auto":
        return ("bfloat16", "float32") if has_bfloat16() else ("float32",)
    if precision not in HINTS:
        msg = f"precision must be auto, float32 or bfloat16 on OpenVINO, got {precision!r}"
        raise DeviceError(msg)
    if precision == "bfloat16" and not has_bfloat16():
        msg = "this processor has no bfloat16, so it would be slower. Use --precision float32"
        raise DeviceError(msg)
    return (precision,)
