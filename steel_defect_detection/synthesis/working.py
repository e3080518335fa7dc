"""Make many images at once, on several processor cores, and hand them over in order."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import cv2

from steel_defect_detection.errors import SynthesisError
from steel_defect_detection.synthesis.made import Made, Maker

# Images made ahead of the one that is asked for, per process: they wait in memory.
_AHEAD = 4
# Starting a process takes about as long as making this many small images.
_FEW = 32
# Further seeds that are tried where one leads to no image.
_ATTEMPTS = 3
_NEXT_SEED = 1_000_003


class Job(NamedTuple):
    """One image to make.

    Args:
        part: Part of the split that it is for.
        number: Number of its class, from 1; 0 for one free of defects.
        seed: Seed of everything random in it.
    """

    part: str
    number: int
    seed: int


class Result(NamedTuple):
    """One image that was made, and the seed that it really has."""

    made: Made
    seed: int


def work(makers: Mapping[str, Maker], jobs: Sequence[Job], *, workers: int = 1) -> Iterator[Result]:
    """Make images one after the other.

    The images do not depend on the number of processes.

    Args:
        makers: Who makes the images of each part.
        jobs: What to make.
        workers: Processes that share the work; 1 works in this one. New
            processes import the caller's script, so a script that asks for them
            keeps its own work under ``if __name__ == "__main__":``.

    Yields:
        One result per job, in their order.

    Raises:
        SynthesisError: If an image cannot be made, with several seeds, or a
            process ended by itself.
        SteelDefectError: If a source cannot be read.
    """
    if workers <= 1 or len(jobs) < _FEW:
        for job in jobs:
            yield _make(makers, job)
        return
    # New processes instead of copies of this one: copies of a process with threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(dict(makers),))
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(_make_there, job))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        msg = (
            f"one of {workers} processes ended by itself: memory may have run out, so try fewer "
            "--workers; in a script of yours, its own work belongs under "
            "'if __name__ == \"__main__\":'"
        )
        raise SynthesisError(msg) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _make(makers: Mapping[str, Maker], job: Job) -> Result:
    maker = makers[job.part]
    for attempt in range(_ATTEMPTS - 1):
        seed = job.seed + attempt * _NEXT_SEED
        try:
            return Result(maker.make(job.number, seed), seed)
        except SynthesisError:
            continue
    seed = job.seed + (_ATTEMPTS - 1) * _NEXT_SEED
    return Result(maker.make(job.number, seed), seed)


_makers: dict[str, Maker] = {}


def _begin(makers: dict[str, Maker]) -> None:
    """Set up a process: it makes one image at a time, and Ctrl-C is for its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _makers.update(makers)


def _make_there(job: Job) -> Result:
    return _make(_makers, job)
