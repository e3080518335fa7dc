"""ONNX Runtime as a runtime, on the processor."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import extras
from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.cache import Entry
from steel_defect_detection.runtimes.converted import ConvertedRuntime
from steel_defect_detection.runtimes.onnx_network import OnnxNetwork
from steel_defect_detection.runtimes.runtime import Precision


class OnnxRuntime(ConvertedRuntime[OnnxNetwork]):
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

    FORM: ClassVar[str] = "onnx 2"
    CONVERTERS: ClassVar[tuple[str, ...]] = (
        "onnxscript",
        "torch",
        "efficientnet-pytorch",
        "segmentation-models-pytorch",
    )

    name = "onnx cpu float32"
    precision = "float32"

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
        for package in ("onnxruntime", "onnxscript"):
            extras.load(package, extra="onnx")
        super().__init__(config, tensors, threads=threads)

    def _convert(self, inputs: Mapping[str, NDArray[Any]]) -> Entry:
        # Imported late: a second start needs no torch.
        from steel_defect_detection.runtimes.convert_onnx import convert

        return convert(self._config, self._tensors, inputs)

    def _ready(self, entry: Entry) -> OnnxNetwork:
        return OnnxNetwork(entry.network, threads=1)
