"""Join pieces that lie close together: a defect of many specks is one defect."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from steel_defect_detection.coil.pieces import Pieces


def join(pieces: Pieces, distance: float) -> Pieces:
    """Join pieces of one class with no more than some pixels between them.

    Measured is what lies between the boxes around them, along and across.

    Args:
        pieces: The pieces.
        distance: Most pixels between two that are joined.
    """
    one, other = _neighbours(pieces, distance)
    count = len(pieces)
    links = coo_array((np.ones(len(one), dtype=np.bool_), (one, other)), shape=(count, count))
    groups, labels = connected_components(links, directed=False)
    return _merged(pieces, labels.astype(np.int64), int(groups))


def _neighbours(pieces: Pieces, distance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.lexsort((pieces.along_first, pieces.class_number))
    # Classes far apart, so that one search along the coil does for all.
    pitch = float(pieces.along_last.max(initial=0)) + distance + 2
    begin = pieces.class_number[order] * pitch + pieces.along_first[order]
    end = pieces.class_number[order] * pitch + pieces.along_last[order]
    place = np.arange(len(order))
    # Those that begin behind this one, and no further from its end than the distance.
    near = np.searchsorted(begin, end + distance + 1, side="right") - place - 1
    one = np.repeat(place, near)
    other = np.arange(len(one)) - np.repeat(np.cumsum(near) - near, near) + one + 1
    one, other = order[one], order[other]
    between = np.maximum(
        pieces.across_first[one] - pieces.across_last[other],
        pieces.across_first[other] - pieces.across_last[one],
    )
    close = between - 1 <= distance
    return one[close], other[close]


def _merged(pieces: Pieces, group: NDArray[np.int64], count: int) -> Pieces:
    area = np.bincount(group, weights=pieces.area, minlength=count)
    one = np.zeros(count, dtype=np.int64)
    one[group] = pieces.class_number
    least = {name: np.full(count, np.iinfo(np.int64).max) for name in ("along", "across")}
    most = {name: np.full(count, -1) for name in ("along", "across")}
    for name in ("along", "across"):
        np.minimum.at(least[name], group, getattr(pieces, f"{name}_first"))
        np.maximum.at(most[name], group, getattr(pieces, f"{name}_last"))
    along, across = (
        np.bincount(group, weights=pieces.area * middle, minlength=count) / area
        for middle in (pieces.along, pieces.across)
    )
    return Pieces(
        class_number=one,
        area=area.astype(np.int64),
        along=along,
        across=across,
        along_first=least["along"],
        along_last=most["along"],
        across_first=least["across"],
        across_last=most["across"],
    )
