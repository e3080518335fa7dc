"""Made: one synthetic image with its masks, and a word on how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Parameter = str | int | float | bool | list["Parameter"] | dict[str, "Parameter"] | None
"""What JSON can hold."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One synthetic image.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        masks: Which pixels show which class, bool, shape ``(classes, height,
            width)``; no pixel shows two. None where only ``labels`` are known.
        labels: Which classes occur, bool, shape ``(classes,)``, where there are
            no masks.
        sources: Names of the real images of which something can be seen in it.
        parameters: How it was made, for the manifest.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_] | None
    labels: NDArray[np.bool_] | None = None
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


class Maker(Protocol):
    """A way of making images; processes get copies of it, so it can be pickled."""

    @property
    def way(self) -> str:
        """Word for the manifest: draw, transplant or gan."""
        ...

    def make(self, number: int, seed: int) -> Made:
        """Make an image that shows a class.

        Args:
            number: Number of the class, from 1; 0 for an image free of defects.
            seed: Seed of everything random: the same arguments give the same
                pixels.

        Raises:
            SynthesisError: If it cannot be made.
        """
        ...
