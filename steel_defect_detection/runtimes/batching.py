"""Batches of what several threads ask for at the same time, for devices that need them.

Nobody waits for a batch to fill: while the device computes one, the next
gathers. A segmenter behind a gate gets its batches in the same way, from those
threads whose images the gate let through.
"""

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.models.config import Preprocessing
from steel_defect_detection.runtimes.runtime import Runtime

_Answers = dict[str, NDArray[np.float32]]


class BatchingRuntime:
    """A runtime that joins simultaneous calls into one.

    Args:
        runtime: What runs the batches.
        most: Most images of a batch, unless one call brings more.
    """

    def __init__(self, runtime: Runtime, *, most: int = 16) -> None:
        self._runtime = runtime
        self._most = most
        self._waiting: deque[_Question] = deque()
        self._changing = Lock()
        self._asking = Lock()

    @property
    def name(self) -> str:
        """Engine, device and precision."""
        return self._runtime.name

    @property
    def parallel(self) -> int:
        """Enough for the next batch to gather while one is computed."""
        return 2 * self._most

    @property
    def precision(self) -> str:
        """Arithmetic."""
        return self._runtime.precision

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become what the network sees."""
        return self._runtime.preprocessing

    def run(self, images: NDArray[np.uint8], **features: NDArray[np.float32]) -> _Answers:
        """Run the network, together with what other threads ask for.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size;
                images of one size are joined.
            **features: What the network takes beside the images, by name.
        """
        question = _Question({"images": images, **features})
        with self._changing:
            self._waiting.append(question)
        while not question.answer.done():
            # Whoever comes first asks for all that wait; the others find their answers there.
            with self._asking:
                if not question.answer.done():
                    self._ask()
        return question.answer.result()

    def _ask(self) -> None:
        """Answer the oldest question, and with it those like it."""
        questions = self._take()
        sizes = [question.images for question in questions]
        try:
            arrays = [question.inputs for question in questions]
            joined = {name: np.concatenate([one[name] for one in arrays]) for name in arrays[0]}
            answers = self._runtime.run(**joined)
        except BaseException as error:
            for question in questions:
                question.answer.set_exception(error)
            return
        ends = np.cumsum(sizes)
        for question, start, end in zip(questions, ends - sizes, ends, strict=True):
            parts = {name: values[start:end] for name, values in answers.items()}
            question.answer.set_result(parts)

    def _take(self) -> "list[_Question]":
        with self._changing:
            taken = [self._waiting.popleft()]
            others: deque[_Question] = deque()
            for question in self._waiting:
                images = sum(one.images for one in taken) + question.images
                fits = question.shapes == taken[0].shapes and images <= self._most
                (taken if fits else others).append(question)
            self._waiting = others
        return taken


class _Question:
    """What one thread asks for."""

    def __init__(self, inputs: Mapping[str, NDArray[Any]]) -> None:
        self.inputs = inputs
        self.images = len(inputs["images"])
        self.shapes = {name: (array.shape[1:], array.dtype) for name, array in inputs.items()}
        self.answer: Future[_Answers] = Future()
