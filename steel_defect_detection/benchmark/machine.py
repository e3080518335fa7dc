"""The machine: what it is, and the most that it can compute and move.

Peaks are those of PyTorch's matrix multiplication and copy with as many threads
as the networks get, the best of several runs: what a program can reach here,
rather than what a data sheet says.
"""

import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

_PACKAGES = ("torch", "openvino", "onnxruntime", "tensorrt", "numpy", "opencv-python-headless")


@dataclass(frozen=True, kw_only=True)
class Peaks:
    """The most that a machine can do.

    Args:
        operations: Operations per second by name of the precision; a
            multiplication and an addition count as two.
        bytes_per_second: Bytes read and written by a copy in main memory.
    """

    operations: dict[str, float]
    bytes_per_second: float


def describe(threads: int) -> dict[str, Any]:
    """Say what machine this is.

    Args:
        threads: Threads per network.
    """
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": threads,
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "memory_gib": _memory_gib(),
        "graphics": [
            torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
        ],
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def measure(
    device: torch.device, *, side: int = 2048, megabytes: int = 256, repeats: int = 30
) -> Peaks:
    """Measure the peaks.

    Args:
        device: Where to compute.
        side: Rows and columns of the matrices.
        megabytes: Size of what is copied; more than the caches hold.
        repeats: Runs, of which the best counts.
    """
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}
    if device.type == "cuda":
        kinds["float16"] = torch.float16
    source = torch.ones(megabytes * 2**20, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    copying = _best(lambda: target.copy_(source), device, repeats)
    return Peaks(
        operations={
            name: 2 * side**3 / _multiplying(kind, side, device, repeats)
            for name, kind in kinds.items()
        },
        bytes_per_second=2 * source.numel() / copying,
    )


def better(one: Peaks, other: Peaks) -> Peaks:
    """The better of two measurements, for on a shared machine either may have been disturbed."""
    return Peaks(
        operations={
            name: max(value, other.operations[name]) for name, value in one.operations.items()
        },
        bytes_per_second=max(one.bytes_per_second, other.bytes_per_second),
    )


def report(peaks: Peaks) -> dict[str, Any]:
    """Peaks as numbers for people: GFLOP/s (for int8 GOP/s) and GB/s."""
    found = asdict(peaks)
    return {
        "gflops": {name: value / 1e9 for name, value in found["operations"].items()},
        "copy_gb_per_second": peaks.bytes_per_second / 1e9,
    }


def _multiplying(kind: torch.dtype, side: int, device: torch.device, repeats: int) -> float:
    """Seconds of one multiplication."""
    generator = torch.Generator().manual_seed(0)
    left, right = (
        torch.randint(-9, 10, (side, side), generator=generator).to(device, kind) for _ in range(2)
    )
    # The ordinary product has no int8 on any device.
    product = torch._int_mm if kind == torch.int8 else torch.mm
    return _best(lambda: product(left, right), device, repeats)


def _best(call: Any, device: torch.device, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 1):
        started = perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, perf_counter() - started)
    return best


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
