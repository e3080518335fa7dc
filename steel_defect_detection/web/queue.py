"""A bounded line of images before the threads that judge them.

As many images are judged at the same time as the runtime asks for, whichever
requests they came with. On a CUDA device their threads' questions are joined
into batches (``runtimes/batching.py``); on the processor each image has a
thread, which is quicker there than batches.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

from steel_defect_detection.web.refusals import overloaded

_MOST_SECONDS = 60

Work = TypeVar("Work")
Done = TypeVar("Done")


class Queue(Generic[Work, Done]):
    """A line that does not grow beyond a number.

    Args:
        judge: What is done with each piece of work.
        threads: How many are done at the same time.
        most: Most that wait or are being done.
    """

    def __init__(self, judge: Callable[[Work], Done], *, threads: int, most: int) -> None:
        self._judge = judge
        self._threads = threads
        self._most = most
        self._lock = Lock()
        self._count = 0
        self._seconds = 0.1
        self._moved = monotonic()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="judge-image")
        self.is_stopping = False

    def __len__(self) -> int:
        """How many wait or are being done."""
        return self._count

    def add(self, works: Sequence[Work]) -> list[Future[Done]]:
        """Put work into the line, all of it or none.

        Args:
            works: What is to be done.

        Returns:
            Where the outcomes will be, in the same order. What is cancelled
            there leaves the line, if it has not begun.

        Raises:
            RefusedError: If there is no room for all of it.
        """
        with self._lock:
            if self.is_stopping:
                msg = "the server is stopping"
                raise overloaded(msg, 5)
            if self._count + len(works) > self._most:
                msg = f"{self._count} images are waiting already, of at most {self._most}"
                raise overloaded(msg, self._wait())
            if not self._count:
                self._moved = monotonic()
            self._count += len(works)
            futures = [self._pool.submit(self._do, work) for work in works]
        for future in futures:
            future.add_done_callback(self._leave)
        return futures

    def is_stuck(self, seconds: float) -> bool:
        """Whether work waits and none was finished for a time.

        Args:
            seconds: How long that would be too long.
        """
        return self._count > 0 and monotonic() - self._moved > seconds

    def wait(self) -> int:
        """Seconds until what is in the line now should be done."""
        with self._lock:
            return self._wait()

    def stop(self) -> None:
        """Take nothing more, and wait for what is in the line."""
        with self._lock:
            self.is_stopping = True
        self._pool.shutdown(wait=True)

    def _wait(self) -> int:
        seconds = self._count * self._seconds / self._threads
        return min(max(math.ceil(seconds), 1), _MOST_SECONDS)

    def _do(self, work: Work) -> Done:
        started = monotonic()
        try:
            return self._judge(work)
        finally:
            # Recent images count for more than those before them.
            self._seconds += 0.2 * (monotonic() - started - self._seconds)

    def _leave(self, _: Future[Done]) -> None:
        with self._lock:
            self._count -= 1
            self._moved = monotonic()
