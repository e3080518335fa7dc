"""PyTorch as a runtime, on the processor or on a CUDA device."""

from collections.abc import Mapping
from threading import Lock
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection.errors import DeviceError
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig, Preprocessing
from steel_defect_detection.runtimes.runtime import Precision

_TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class PyTorchRuntime:
    """A graph in PyTorch, in evaluation mode.

    Args:
        config: The graph to build.
        tensors: Its weights by name.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``; ``auto`` takes a CUDA
            device where there is one.
        precision: ``auto`` is float32 on the processor and float16 on CUDA.

    Raises:
        CheckpointError: If the weights do not fit the graph.
        DeviceError: If there is no such device, or it cannot compute in that
            precision.
    """

    def __init__(
        self,
        config: GraphConfig,
        tensors: Mapping[str, NDArray[np.generic]],
        *,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        """Build the graph and move it to the device."""
        self._device = find_device(device)
        self._precision = _find_precision(precision, self._device)
        self._config = config
        graph = weights.restored(config, tensors)
        self._graph = graph.to(memory_format=torch.channels_last).to(self._device)
        # One call keeps all cores or the whole device busy.
        self._busy = Lock()

    @property
    def name(self) -> str:
        """Engine, device and precision."""
        return f"pytorch {self._device} {self._precision}"

    @property
    def on_cuda(self) -> bool:
        """Whether it runs on a CUDA device, which wants images in batches."""
        return self._device.type == "cuda"

    @property
    def parallel(self) -> int:
        """One call at a time."""
        return 1

    @property
    def precision(self) -> str:
        """Arithmetic."""
        return self._precision

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
        """
        # A copy only where PyTorch could not share the memory: it refuses read-only arrays.
        shared = np.require(images, requirements=["C", "W"])
        pixels = torch.from_numpy(shared).to(self._device)
        others = [torch.from_numpy(features[name]) for name in self._graph.inputs[1:]]
        low = _TYPES.get(self._precision)
        with (
            self._busy,
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=low, enabled=low is not None),
        ):
            outputs = self._graph(pixels, *(other.to(self._device) for other in others))
        named = zip(self._graph.outputs, outputs, strict=True)
        return {name: output.float().cpu().numpy() for name, output in named}


def find_device(device: str) -> torch.device:
    """Choose the device that a word stands for.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        DeviceError: If PyTorch does not know the word, or sees no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        msg = f"device must be 'auto', 'cpu' or 'cuda', got {device!r}"
        raise DeviceError(msg) from error
    if found.type not in {"cpu", "cuda"}:
        msg = f"device must be 'auto', 'cpu' or 'cuda', got {device!r}"
        raise DeviceError(msg)
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        msg = f"device {device!r} was asked for, but PyTorch sees {count} CUDA devices"
        raise DeviceError(msg)
    return found


def _find_precision(precision: Precision, device: torch.device) -> str:
    if precision == "auto":
        return "float16" if device.type == "cuda" else "float32"
    if precision not in get_args(Precision):
        msg = f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}"
        raise DeviceError(msg)
    if precision == "float16" and device.type == "cpu":
        msg = "precision 'float16' needs a CUDA device; the processor takes float32 or bfloat16"
        raise DeviceError(msg)
    return precision
