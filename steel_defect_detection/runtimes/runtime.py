"""Runtime: what every engine promises."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.models.config import Preprocessing

Engine = Literal["auto", "pytorch", "openvino", "onnx"]
"""What runs a network."""

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Arithmetic of a network."""


Arrays = Mapping[str, NDArray[Any]]
"""What a network takes or gives, by name."""

Run = Callable[[Arrays], dict[str, NDArray[np.float32]]]
"""Runs a network on arrays by name."""


class Runtime(Protocol):
    """One network, from uint8 images to named arrays.

    A classifier gives ``probabilities``, shape ``(batch, classes)``, and
    ``defect_probability``, shape ``(batch,)``; a segmenter gives
    ``probabilities``, shape ``(batch, classes, height, width)``; two heads give
    a segmenter's ``probabilities``, and the classifier's as
    ``class_probabilities`` and ``defect_probability``; all float32 from 0 to 1.
    The first half of a shared backbone gives a classifier's
    answers and ``feature_1`` to ``feature_5``, which the second half takes.
    Networks that know what familiar images look like add ``familiarity``, shape
    ``(batch,)``, 0 to 1.
    Any number of threads may call ``run`` at the same time.
    """

    @property
    def name(self) -> str:
        """Engine, device and precision, for people: ``pytorch cpu bfloat16``."""
        ...

    @property
    def parallel(self) -> int:
        """Threads that should call ``run`` at the same time for most images per second."""
        ...

    @property
    def precision(self) -> str:
        """Arithmetic of the answers so far; before the first, of those that are to be expected."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """How images become what the network sees; one channel means that it sees no colours."""
        ...

    def run(
        self, images: NDArray[np.uint8], **features: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network.

        Args:
            images: uint8, shape ``(batch, height, width, 1 or 3)``, any size.
            **features: What the network takes beside the images, by name.
        """
        ...
