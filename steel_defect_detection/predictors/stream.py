"""Reading ahead: the next images are decoded while the present one is judged."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import ImageError

# Enough to hide a slow disk behind the network; a strip takes 1.2 MB, so memory stays small.
_AHEAD = 8
_READERS = 2


@dataclass(frozen=True)
class Picture:
    """A decoded image and the milliseconds it took."""

    image: NDArray[np.uint8]
    decode_ms: float


def read_ahead(
    paths: Iterable[Path | str],
) -> Iterator[tuple[Path | str, Picture | ImageError]]:
    """Read images in order, a bounded number of them ahead of the caller.

    Args:
        paths: Image files; the iterable itself is not read further ahead.

    Yields:
        Each path with its picture, or with the error that reading it gave.
    """
    remaining = iter(paths)
    with ThreadPoolExecutor(_READERS, thread_name_prefix="read-image") as pool:
        waiting: deque[tuple[Path | str, Future[Picture | ImageError]]] = deque()

        def ask(count: int) -> None:
            waiting.extend((path, pool.submit(_read, path)) for path in islice(remaining, count))

        ask(_AHEAD)
        try:
            while waiting:
                path, answer = waiting.popleft()
                yield path, answer.result()
                ask(1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _read(path: Path | str) -> Picture | ImageError:
    started = perf_counter()
    try:
        image = images.read(path)
    except ImageError as error:
        return error
    return Picture(image, (perf_counter() - started) * 1000)
