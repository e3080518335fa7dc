"""Connected pieces of a coil, from run lengths, without drawing a single mask.

All images are put on one large grid, the coil, and cut into segments: the pixels
of one run in one column. Pixels belong together when they touch, corner to
corner included, so that segments do when they overlap, or nearly, in
neighbouring columns. Where two images follow each other without a gap their
columns (or rows) are neighbours too, and a defect that reaches over the seam is
one piece.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Axis = Literal["x", "y"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segments:
    """Pixels one below the other in a column of the coil's grid, one segment per entry.

    Args:
        class_number: Class, int64, from 1.
        column: Column of the grid, int64.
        first: First row, int64.
        last: Last row, int64.
    """

    class_number: NDArray[np.int64]
    column: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def take(self, order: NDArray[np.int64]) -> Self:
        """Some of them.

        Args:
            order: Which ones, in order.
        """
        names = ("class_number", "column", "first", "last")
        return type(self)(**{name: getattr(self, name)[order] for name in names})


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Connected pixels of one class, one piece per entry; bounds are pixels of the coil.

    Args:
        class_number: Class, int64, from 1.
        area: Pixels, int64.
        along: Middle along the coil, float64.
        across: Middle across it, float64.
        along_first: First pixel along the coil, int64.
        along_last: Last one, int64.
        across_first: First pixel across it, int64.
        across_last: Last one, int64.
    """

    class_number: NDArray[np.int64]
    area: NDArray[np.int64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    along_first: NDArray[np.int64]
    along_last: NDArray[np.int64]
    across_first: NDArray[np.int64]
    across_last: NDArray[np.int64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.area)


def segments(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    heights: NDArray[np.int64],
    class_number: NDArray[np.int64],
) -> Segments:
    """Cut runs where a column ends.

    Args:
        starts: First pixel of each run, from 1, down the columns of its image.
        lengths: Pixels of each run.
        heights: Height of each run's image.
        class_number: Class of each run.

    Returns:
        Segments in columns and rows of their own image, run by run.
    """
    row = (starts - 1) % heights
    columns = (row + lengths - 1) // heights + 1
    run = np.repeat(np.arange(len(starts)), columns)
    step = np.arange(len(run)) - np.repeat(np.cumsum(columns) - columns, columns)
    height = heights[run]
    first = np.where(step == 0, row[run], 0)
    last = np.minimum(row[run] + lengths[run] - 1 - step * height, height - 1)
    column = (starts[run] - 1) // height + step
    return Segments(class_number=class_number[run], column=column, first=first, last=last)


def connect(found: Segments, axis: Axis) -> Pieces:
    """Put segments of one class that touch together.

    Args:
        found: Segments on the grid of the coil; no pixel of a class twice.
        axis: What runs along the coil: ``x`` if columns are numbered along it,
            ``y`` if rows are.
    """
    order = np.lexsort((found.first, found.column, found.class_number))
    found = found.take(order)
    count, piece = _labelled(found)
    sizes = found.last - found.first + 1
    area = np.bincount(piece, weights=sizes, minlength=count).astype(np.int64)
    column = _Measured(piece, count, found.column, found.column, sizes * (found.column + 0.5))
    middles = sizes * (found.first + found.last + 1) / 2
    row = _Measured(piece, count, found.first, found.last, middles)
    along, across = (column, row) if axis == "x" else (row, column)
    one = np.zeros(count, dtype=np.int64)
    one[piece] = found.class_number
    return Pieces(
        class_number=one,
        area=area,
        along=along.sums() / area,
        across=across.sums() / area,
        along_first=along.least(),
        along_last=along.most(),
        across_first=across.least(),
        across_last=across.most(),
    )


@dataclass(frozen=True)
class _Measured:
    """One direction of all pieces."""

    piece: NDArray[np.int64]
    count: int
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    weighted: NDArray[np.float64]

    def sums(self) -> NDArray[np.float64]:
        sums = np.bincount(self.piece, weights=self.weighted, minlength=self.count)
        return sums.astype(np.float64)

    def least(self) -> NDArray[np.int64]:
        found = np.full(self.count, np.iinfo(np.int64).max)
        np.minimum.at(found, self.piece, self.first)
        return found

    def most(self) -> NDArray[np.int64]:
        found = np.full(self.count, -1)
        np.maximum.at(found, self.piece, self.last)
        return found


def _labelled(found: Segments) -> tuple[int, NDArray[np.int64]]:
    """Number of pieces, and the piece of each segment; segments are sorted."""
    count = len(found.column)
    if not count:
        return 0, np.zeros(0, dtype=np.int64)
    # Room for one row above and one below each column, which belong to no other column.
    rows = int(found.last.max()) + 3
    columns = int(found.column.max()) + 2
    base = (found.class_number * columns + found.column) * rows + 1
    firsts, lasts = base + found.first, base + found.last
    # Those of the next column that reach a row above the first, up to a row below the last.
    low = np.searchsorted(lasts, firsts + rows - 1)
    high = np.maximum(np.searchsorted(firsts, lasts + rows + 1, side="right"), low)
    near = high - low
    one = np.repeat(np.arange(count), near)
    other = np.arange(len(one)) - np.repeat(np.cumsum(near) - near - low, near)
    # One below the other without a gap, as where a row of images meets the next.
    below = np.flatnonzero(firsts[1:] == lasts[:-1] + 1)
    one, other = np.concatenate([one, below]), np.concatenate([other, below + 1])
    links = coo_array((np.ones(len(one), dtype=np.bool_), (one, other)), shape=(count, count))
    pieces, labels = connected_components(links, directed=False)
    return int(pieces), labels.astype(np.int64)
