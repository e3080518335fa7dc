"""One ONNX network in ONNX Runtime."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import extras

_ONLY_ERRORS = 3


class OnnxNetwork:
    """One ONNX network in ONNX Runtime; several threads may run it at the same time.

    Args:
        network: The bytes of a ``.onnx`` file.
        threads: Threads it computes with; 0 for as many as there are cores.

    Raises:
        MissingExtraError: If ONNX Runtime is not installed.
    """

    def __init__(self, network: bytes, *, threads: int = 0) -> None:
        onnxruntime = extras.load("onnxruntime", extra="onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ONLY_ERRORS
        self._session: Any = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [port.name for port in self._session.get_inputs()]
        self._outputs = [port.name for port in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            inputs: Arrays by name; those that the network does not take are
                passed over.
        """
        answers = self._session.run(self._outputs, {name: inputs[name] for name in self._inputs})
        return dict(zip(self._outputs, answers, strict=True))
