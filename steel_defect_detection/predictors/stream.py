"""Many images: the next are decoded while several are judged, and the order is kept."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ImageError
from steel_defect_detection.runtimes.processor import cores

# Enough to hide a slow disk behind the network; a strip takes 1.2 MB, so memory stays small.
_AHEAD = 8
_LEAST_READERS = 2

Judged = TypeVar("Judged")


@dataclass(frozen=True)
class Picture:
    """A decoded image and the milliseconds it took."""

    image: NDArray[np.uint8]
    decode_ms: float


def in_order(
    paths: Iterable[Path | str],
    *,
    read: Callable[[Path | str], NDArray[np.uint8]],
    judge: Callable[[Path | str, Picture | ImageError], Judged],
    threads: int,
) -> Iterator[Judged]:
    """Read and judge images, a bounded number of them ahead of the caller.

    Args:
        paths: Image files; the iterable itself is not read further ahead.
        read: Reads an image; called by threads of its own.
        judge: Judges what was read, or the error that reading gave.
        threads: How many images to judge at the same time.

    Yields:
        What was judged, in the order of the paths.
    """
    remaining = iter(paths)
    reading_threads = max(min(threads, cores()), _LEAST_READERS)
    readers = ThreadPoolExecutor(reading_threads, thread_name_prefix="read-image")
    judges = ThreadPoolExecutor(threads, thread_name_prefix="judge-image")
    waiting: deque[Future[Judged]] = deque()

    def ask(count: int) -> None:
        for path in islice(remaining, count):
            reading = readers.submit(_read, read, path)
            waiting.append(judges.submit(_judge, judge, path, reading))

    try:
        ask(_AHEAD + threads)
        while waiting:
            judged = waiting.popleft().result()
            ask(1)
            yield judged
    finally:
        judges.shutdown(wait=False, cancel_futures=True)
        readers.shutdown(wait=False, cancel_futures=True)


def _read(
    read: Callable[[Path | str], NDArray[np.uint8]], path: Path | str
) -> Picture | ImageError:
    started = perf_counter()
    try:
        image = read(path)
    except ImageError as error:
        return error
    return Picture(image, (perf_counter() - started) * 1000)


def _judge(
    judge: Callable[[Path | str, Picture | ImageError], Judged],
    path: Path | str,
    reading: Future[Picture | ImageError],
) -> Judged:
    return judge(path, reading.result())
