"""One network in OpenVINO."""

from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from steel_defect_detection.runtimes.openvino_core import core

HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's words for precisions."""


class OpenVINONetwork:
    """One network in OpenVINO; several threads may run it at the same time.

    Args:
        network: The network as it was read or converted; its ports have our
            names.
        precision: ``float32`` or ``bfloat16``.
        threads: Images that are computed at the same time, each by one thread;
            0 for one after the other, each by all cores.
    """

    def __init__(self, network: Any, *, precision: str = "float32", threads: int = 0) -> None:
        streams = threads or 1
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Pinned threads of two processes would share the first cores and leave the others idle.
            "ENABLE_CPU_PINNING": False,
        }
        # From before compiling, which gives an answer the names of what it was joined with, too.
        self._taken = [port.get_any_name() for port in network.inputs]
        self._given = [port.get_any_name() for port in network.outputs]
        self._compiled = core().compile_model(network, "CPU", settings)
        self._idle: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(self._compiled.create_infer_request())

    @classmethod
    def read(
        cls, network: bytes, weights: bytes, *, precision: str = "float32", threads: int = 0
    ) -> "OpenVINONetwork":
        """Read a network that OpenVINO has written.

        Args:
            network: Content of the ``.xml`` file.
            weights: Content of the ``.bin`` file.
            precision: ``float32`` or ``bfloat16``.
            threads: Images that are computed at the same time.
        """
        return cls(core().read_model(network, weights), precision=precision, threads=threads)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            inputs: Arrays by name; those that the network does not take are
                passed over.
        """
        request = self._idle.get()
        try:
            answers = request.infer({name: inputs[name] for name in self._taken}, share_inputs=True)
            return dict(zip(self._given, answers.to_tuple(), strict=True))
        finally:
            self._idle.put(request)
