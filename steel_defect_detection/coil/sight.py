"""What of a coil was seen: places on images that could be judged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.coil.layout import Coil


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """Stretches of a coil that nothing is known of.

    Args:
        begins: Where each begins along the coil, ascending.
        ends: Where it ends.
    """

    begins: NDArray[np.float64]
    ends: NDArray[np.float64]

    def of(self, places: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether places along the coil were seen.

        Args:
            places: Along the coil, in pixels.
        """
        if not len(self.begins):
            return np.ones(len(places), dtype=np.bool_)
        before = np.searchsorted(self.begins, places, side="right") - 1
        return (before < 0) | (places >= self.ends[np.maximum(before, 0)])


def of_coil(coil: Coil) -> Sight:
    """What of a coil was seen.

    Args:
        coil: The coil.
    """
    begins, ends = coil.unseen().T
    return Sight(begins=begins, ends=ends)
