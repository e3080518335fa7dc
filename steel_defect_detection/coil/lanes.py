"""Lanes: the defects of one class at one width, in their order along the coil.

The width is cut into lanes twice, the second time half a lane further, so that
whatever lies within half a lane of width lies in one lane as a whole. Each class
has lanes of its own, and all classes together have some, for a mark may be
called by two names.

All lanes stand behind each other in one sorted array: a lane's number times the
pitch, plus the place along the coil. Looking something up in any lane is then
one search.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.coil.layout import Coil


@dataclass(frozen=True, kw_only=True, eq=False)
class Lanes:
    """Defects by lane, and by place within each; a defect stands in several lanes.

    Args:
        along: Place along the coil, float64.
        lane: Number of the lane, int64.
        defect: Number of the defect, int64.
        group: Class that the lane is for, int64; 0 for all classes.
        pitch: What parts the lanes in ``keys``.
        length: Length of the coil.
        tolerance: How far a mark may lie from its place along the coil; what is
            twice as near counts as one when chances are taken.
    """

    along: NDArray[np.float64]
    lane: NDArray[np.int64]
    defect: NDArray[np.int64]
    group: NDArray[np.int64]
    pitch: float
    length: float
    tolerance: float

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.along)

    @cached_property
    def keys(self) -> NDArray[np.float64]:
        """Lane times pitch plus place along the coil, ascending."""
        return self.lane * self.pitch + self.along

    @cached_property
    def _near(self) -> NDArray[np.bool_]:
        """Which entries have another near before them."""
        return np.diff(self.keys, prepend=-np.inf) <= 2 * self.tolerance

    @cached_property
    def _filled(self) -> NDArray[np.float64]:
        """Sum of the distances to the entry before, where that is near, up to each entry."""
        return np.cumsum(np.where(self._near, np.diff(self.keys, prepend=-np.inf), 0.0))

    @cached_property
    def _heads(self) -> NDArray[np.int64]:
        """How many entries up to each have no other near before them."""
        return np.cumsum(~self._near)

    def without(self, gone: NDArray[np.bool_]) -> tuple[Self, NDArray[np.int64]]:
        """Leave defects out.

        Args:
            gone: Whether each defect of the coil is to go.

        Returns:
            The lanes with the others, and the new number of each entry; -1 for
            those that are gone.
        """
        stays = ~gone[self.defect]
        numbers = np.where(stays, np.cumsum(stays) - 1, -1)
        parts = ("lane", "defect", "group", "along")
        left = replace(self, **{name: getattr(self, name)[stays] for name in parts})
        return left, numbers

    def nearest(
        self, lane: NDArray[np.int64], places: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The entry of a lane that is nearest to a place, and how far off it lies.

        Args:
            lane: Number of each lane.
            places: Along the coil, between its beginning and its end.
        """
        keys = lane * self.pitch + places
        after = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        before = np.maximum(after - 1, 0)
        far, near = np.abs(self.keys[after] - keys), np.abs(self.keys[before] - keys)
        return np.where(near <= far, before, after), np.minimum(near, far)

    def covered(
        self,
        lane: NDArray[np.int64],
        windows: tuple[NDArray[np.float64], NDArray[np.float64]],
        reach: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Share of a window that lies within reach of a defect; at most 1, and never too small.

        This is the chance that a place anywhere in the window hits one. Defects
        that lie together, as the pieces of a scratch do, cover little.

        Args:
            lane: Number of each lane.
            windows: Where each window begins and ends along the coil.
            reach: How far a hit may lie off.
        """
        begin, end = np.maximum(windows[0], 0.0), np.minimum(windows[1], self.length)
        low = np.searchsorted(self.keys, lane * self.pitch + begin)
        high = np.searchsorted(self.keys, lane * self.pitch + end, side="right")
        last, first = np.maximum(high - 1, 0), np.minimum(low, len(self.keys) - 1)
        groups = self._heads[last] - self._heads[first] + 1
        pixels = self._filled[last] - self._filled[first] + 2 * reach * groups
        share = pixels / np.maximum(end - begin, 1e-9)
        return np.where(high > low, np.minimum(share, 1.0), 0.0)


def build(coil: Coil, numbers: NDArray[np.int64], *, lane_width: float, tolerance: float) -> Lanes:
    """Put defects into lanes.

    Args:
        coil: The coil.
        numbers: Which of its defects.
        lane_width: Width of a lane, in pixels.
        tolerance: How far a mark may lie from its place along the coil.
    """
    defects = coil.defects
    classes = defects.class_number[numbers]
    groups = [classes] if len(np.unique(classes)) < 2 else [np.zeros_like(classes), classes]
    lanes_across = int(coil.width // lane_width) + 2
    lane = []
    for group in groups:
        for half in (0, 1):
            across = np.floor(defects.across[numbers] / lane_width + half / 2).astype(np.int64)
            lane.append((2 * group + half) * lanes_across + across)
    return _sorted(
        coil,
        np.concatenate(lane),
        np.tile(numbers, len(lane)),
        np.repeat(groups, 2, axis=0).ravel(),
        tolerance,
    )


def one(coil: Coil, numbers: NDArray[np.int64], *, tolerance: float) -> Lanes:
    """Make one lane of some defects, whatever their class and width.

    Args:
        coil: The coil.
        numbers: Which of its defects.
        tolerance: How far a mark may lie from its place along the coil.
    """
    nothing = np.zeros(len(numbers), dtype=np.int64)
    return _sorted(coil, nothing, numbers, nothing, tolerance)


def _sorted(
    coil: Coil,
    lane: NDArray[np.int64],
    defect: NDArray[np.int64],
    group: NDArray[np.int64],
    tolerance: float,
) -> Lanes:
    along = coil.defects.along[defect]
    order = np.lexsort((defect, along, lane))
    return Lanes(
        lane=lane[order],
        defect=defect[order],
        group=group[order],
        along=along[order],
        # No lane's windows reach into the next.
        pitch=2 * coil.length + 1,
        length=coil.length,
        tolerance=tolerance,
    )
