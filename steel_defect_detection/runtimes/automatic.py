"""Automatic choice: OpenVINO, or PyTorch where converting does not pay or does not work."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConversionError
from steel_defect_detection.models.config import GraphConfig, Preprocessing
from steel_defect_detection.runtimes.converted import MOST_SIZES
from steel_defect_detection.runtimes.openvino import OpenVINORuntime
from steel_defect_detection.runtimes.runtime import Precision, Runtime

# Converting takes as long as PyTorch needs for some hundred strips.
_CONVERTED_AT_ONCE = 2
_CONVERTED_AFTER = 100


class AutomaticRuntime:
    """A graph on the processor, by what is fastest there.

    The first two sizes of images are converted for OpenVINO as soon as they
    come. Images of further sizes go to PyTorch, until a hundred of a size have
    come; so do those of a network that OpenVINO cannot run, or not alike, and
    those of more sizes than are held ready.

    Args:
        config: The graph.
        tensors: Its weights by name.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        threads: Processor threads in all, for OpenVINO; 0 for as many as there
            are cores.

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
        """Wait for the first images: their size decides what runs."""
        self._config = config
        self._tensors = tensors
        self._precision = precision
        self._openvino = OpenVINORuntime(config, tensors, precision=precision, threads=threads)
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._converted: set[tuple[int, ...]] = set()
        self._refused = False
        self._pytorch: Runtime | None = None
        self._used: dict[str, str] = {}
        self._lock = Lock()

    @property
    def name(self) -> str:
        """Engine, device and precision, of both engines if both were used."""
        return " + ".join(self._used) or self._openvino.name

    @property
    def parallel(self) -> int:
        """As many as OpenVINO takes."""
        return self._openvino.parallel

    @property
    def precision(self) -> str:
        """Arithmetic of the answers so far: float32 only if all were computed in it."""
        if not self._used:
            return self._openvino.precision
        return next((low for low in self._used.values() if low != "float32"), "float32")

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become what the network sees."""
        return self._config.preprocessing

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size.
            **features: What the network takes beside the images, by name.

        Raises:
            CheckpointError: If the weights do not fit the graph.
        """
        runtime = self._choose(images, features)
        try:
            answers = runtime.run(images, **features)
        except ConversionError:
            if runtime is self._pytorch:
                raise
            self._refused = True
            runtime = self._by_pytorch()
            answers = runtime.run(images, **features)
        self._used[runtime.name] = runtime.precision
        return answers

    def _choose(
        self, images: NDArray[np.uint8], features: Mapping[str, NDArray[np.float32]]
    ) -> Runtime:
        if self._refused:
            return self._by_pytorch()
        size = images.shape[1:]
        with self._lock:
            self._seen[size] += 1
            # With more sizes than are held ready, each image might wait for its network.
            if (
                size not in self._converted
                and len(self._converted) < MOST_SIZES
                and self._pays(size, images, features)
            ):
                self._converted.add(size)
        return self._openvino if size in self._converted else self._by_pytorch()

    def _pays(
        self,
        size: tuple[int, ...],
        images: NDArray[np.uint8],
        features: Mapping[str, NDArray[np.float32]],
    ) -> bool:
        return (
            len(self._converted) < _CONVERTED_AT_ONCE
            or self._seen[size] > _CONVERTED_AFTER
            or self._openvino.knows(images, **features)
        )

    def _by_pytorch(self) -> Runtime:
        # Imported late: with a network that is known, torch is not needed.
        from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

        with self._lock:
            if self._pytorch is None:
                self._pytorch = PyTorchRuntime(
                    self._config, self._tensors, device="cpu", precision=self._precision
                )
            return self._pytorch
