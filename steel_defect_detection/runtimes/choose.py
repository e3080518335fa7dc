"""Choose what runs a graph: the engine, and the device."""

import ctypes
import sys
from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError, DeviceError
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.runtimes.batching import BatchingRuntime
from steel_defect_detection.runtimes.runtime import Engine, Precision, Runtime


def choose(
    config: GraphConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    *,
    engine: Engine = "auto",
    device: str = "auto",
    precision: Precision = "auto",
    threads: int = 0,
) -> Runtime:
    """Make a runtime of a graph.

    Args:
        config: The graph.
        tensors: Its weights by name.
        engine: ``auto`` is PyTorch on CUDA, and on the processor OpenVINO where
            that works and pays.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        precision: ``auto``, ``float32``, ``bfloat16`` or ``float16``; for
            the head ``duq`` and for graphs that say how familiar images are,
            ``auto`` is float32.
        threads: Processor threads in all, not for PyTorch; 0 for as many as
            there are cores.

    Raises:
        CheckpointError: If the weights do not fit the graph.
        ConfigError: If the engine is unknown, or does not take threads.
        DeviceError: If the device or the precision is not there.
        MissingExtraError: If the engine is not installed.
    """
    if engine not in get_args(Engine):
        *names, last = get_args(Engine)
        msg = f"runtime must be {', '.join(names)} or {last}, got {engine!r}"
        raise ConfigError(msg)
    if threads < 0:
        msg = f"threads must be 0 or more, got {threads}"
        raise ConfigError(msg)
    if precision == "auto" and _is_sensitive(config):
        precision = "float32"
    # Imported where needed: each engine is large, and none needs another.
    if engine == "auto" and _on_processor(device, precision):
        from steel_defect_detection.runtimes.automatic import AutomaticRuntime

        return AutomaticRuntime(config, tensors, precision=precision, threads=threads)
    if engine == "openvino":
        _check_processor("OpenVINO", device)
        from steel_defect_detection.runtimes.openvino import OpenVINORuntime

        return OpenVINORuntime(config, tensors, precision=precision, threads=threads)
    if engine == "onnx":
        _check_processor("ONNX Runtime", device)
        from steel_defect_detection.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(config, tensors, precision=precision, threads=threads)
    return _by_pytorch(config, tensors, device, precision, threads)


def _by_pytorch(
    config: GraphConfig,
    tensors: Mapping[str, NDArray[np.generic]],
    device: str,
    precision: Precision,
    threads: int,
) -> Runtime:
    from steel_defect_detection.runtimes.pytorch import PyTorchRuntime

    if threads:
        msg = (
            f"threads is not for PyTorch, got {threads}: set the environment variable "
            "OMP_NUM_THREADS instead, or take runtime 'openvino'"
        )
        raise ConfigError(msg)
    network = PyTorchRuntime(config, tensors, device=device, precision=precision)
    return BatchingRuntime(network) if network.on_cuda else network


def _is_sensitive(config: GraphConfig) -> bool:
    """Whether rounding changes answers, and on images that are far from the samples.

    Kernels of a distance head and familiarity fall with the square of a difference.
    Near 0, as on the sample strips, they agree in any precision, and so prove nothing.
    """
    if config.familiarity is not None:
        return True
    return config.network.kind == "classifier" and config.network.head == "duq"


def _check_processor(engine: str, device: str) -> None:
    if device not in {"auto", "cpu"}:
        msg = f"{engine} runs on the processor here, got device {device!r}"
        raise DeviceError(msg)


def _on_processor(device: str, precision: Precision) -> bool:
    """Whether a network runs on the processor by itself, without importing torch to know."""
    if precision == "float16":
        return False
    return device == "cpu" or (device == "auto" and not _has_cuda())


def _has_cuda() -> bool:
    """Whether PyTorch sees a CUDA device; it is asked only where the driver sees one."""
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    except (OSError, AttributeError):
        return False
    if failed or not count.value:
        return False
    import torch  # which may have been built for the processor alone

    return torch.cuda.is_available()
