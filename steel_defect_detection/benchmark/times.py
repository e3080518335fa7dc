"""Times of many images, and what is said of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np


@dataclass(kw_only=True, eq=False)
class Chunk:
    """What became of a few files in a row.

    Args:
        seconds: From the first file opened to the last result written.
        files: How many they were.
        fired: How many the gate let through to the segmenter.
        milliseconds: Of each image by stage; a stage that did not run for an
            image has no number of it.
    """

    seconds: float = 0.0
    files: int = 0
    fired: int = 0
    milliseconds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **stages: float | None) -> None:
        """Take note of the milliseconds of one more image, None where a stage did not run."""
        ran = {name: value for name, value in stages.items() if value is not None}
        for name, value in {**ran, "image": sum(ran.values())}.items():
            self.milliseconds.setdefault(name, []).append(value)
        self.files += 1


def join(chunks: Iterable[Chunk]) -> Chunk:
    """Put chunks together."""
    whole = Chunk()
    for chunk in chunks:
        whole.seconds += chunk.seconds
        whole.files += chunk.files
        whole.fired += chunk.fired
        for name, values in chunk.milliseconds.items():
            whole.milliseconds.setdefault(name, []).extend(values)
    return whole


def report(chunk: Chunk) -> dict[str, Any]:
    """Measures of a chunk: files, share that fired, images per second, stages."""
    return {
        "files": chunk.files,
        "fired_share": chunk.fired / chunk.files,
        "seconds": chunk.seconds,
        "images_per_second": chunk.files / chunk.seconds,
        "milliseconds": stages(chunk.milliseconds),
    }


def stages(milliseconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Summary of each stage by its name."""
    return {name: summary(values) for name, values in milliseconds.items()}


def summary(values: Sequence[float]) -> dict[str, float]:
    """How many they are, the least of them, their median, 95th percentile and mean.

    Example:
        >>> summary([1.0, 2.0, 6.0])
        {'count': 3, 'least': 1.0, 'median': 2.0, 'p95': 5.6, 'mean': 3.0}
    """
    median, p95 = np.percentile(values, [50, 95])
    return {
        "count": len(values),
        "least": float(min(values)),
        "median": float(median),
        "p95": float(p95),
        "mean": float(np.mean(values)),
    }


def report_network(milliseconds: Sequence[float], flop: float) -> dict[str, Any]:
    """Measures of a network that answers one image after the other.

    Args:
        milliseconds: Time of each answer.
        flop: What it computes for one image.
    """
    found = summary(milliseconds)
    speed = 1000 / found["mean"]
    return {"milliseconds": found, "images_per_second": speed, "gflop": flop / 1e9}


def share(network: Mapping[str, Any], peak: float | None) -> float | None:
    """Share of the machine's peak that a network reaches, by its images per second.

    Args:
        network: What ``report_network`` says of it.
        peak: Operations per second, if they are known.
    """
    return network["gflop"] * 1e9 * network["images_per_second"] / peak if peak else None


def ratios(ours: Sequence[Chunk], theirs: Sequence[Chunk]) -> dict[str, float]:
    """How many times as many images per second, over all chunks and from chunk to chunk.

    Args:
        ours: One chunk after the other.
        theirs: The chunks that were run beside them.
    """
    each = [_speed(a) / _speed(b) for a, b in zip(ours, theirs, strict=True)]
    return {
        "ratio": _speed(join(ours)) / _speed(join(theirs)),
        "least": min(each),
        "median": float(np.median(each)),
        "most": max(each),
        "chunks": len(each),
    }


def repeat(call: Callable[[int], object], *, count: int, warm_up: int) -> list[float]:
    """Call something again and again and take the time.

    Args:
        call: What to call, with the number of the call; its work must be done
            when it returns.
        count: Calls that are timed.
        warm_up: Calls before the first that is timed.

    Returns:
        Milliseconds of each timed call.
    """
    for number in range(warm_up):
        call(number)
    taken = []
    for number in range(count):
        started = perf_counter()
        call(warm_up + number)
        taken.append((perf_counter() - started) * 1000)
    return taken


def _speed(chunk: Chunk) -> float:
    return chunk.files / chunk.seconds
