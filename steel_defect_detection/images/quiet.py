"""Keep the readers of images from printing: what is wrong is said by our own errors."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def no_warnings() -> Iterator[None]:
    """Keep Pillow's warnings to ourselves, while inside."""
    # The filters belong to the whole process: one thread at a time may change and restore them.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


_WARNINGS = threading.Lock()


class SilentOpenCV:
    """Keeps OpenCV from printing, while any thread is inside; it reports by its results."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual_level = 0
        # OpenCV 5 moved the function into a module that OpenCV 4 does not have.
        self._set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._usual_level = self._set_level(0)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set_level(self._usual_level)


SILENT_OPENCV = SilentOpenCV()
"""The one that all threads share."""
