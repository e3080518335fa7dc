"""Runtime: what every engine promises."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class Runtime(Protocol):
    """One network, from uint8 images to named arrays.

    A classifier gives ``probabilities``, shape ``(batch, classes)``, and
    ``defect_probability``, shape ``(batch,)``; a segmenter gives
    ``probabilities``, shape ``(batch, classes, height, width)``; all float32
    from 0 to 1. The first half of a shared backbone gives a classifier's
    answers and ``feature_1`` to ``feature_5``, which the second half takes.
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
    def grey(self) -> bool:
        """Whether the network sees brightness only, so that colours need not be decoded."""
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
