"""One coil laid out: where its images lie along the strip, and every defect on it.

Positions are in pixels of the coil. *Along* runs from the beginning of the first
image to the end of the last, *across* from edge 1 (top of the images, or their
left side where their rows lie along the coil) to edge 2. A pixel is a square of
side 1, so that the first one reaches from 0 to 1 and its middle lies at 0.5.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class CoilDefects:
    """Defects, one per entry of each array.

    Args:
        image: Number of the image that the defect's middle lies on, int64.
        class_number: Its class, int64, from 1.
        along: Middle along the coil, float64, in pixels.
        across: Middle across the coil, float64, in pixels.
        along_size: Pixels from its first to its last along the coil, int64.
        across_size: Pixels from its first to its last across the coil, int64.
        area: Its pixels, int64.
    """

    image: NDArray[np.int64]
    class_number: NDArray[np.int64]
    along: NDArray[np.float64]
    across: NDArray[np.float64]
    along_size: NDArray[np.int64]
    across_size: NDArray[np.int64]
    area: NDArray[np.int64]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.along)

    def take(self, numbers: NDArray[np.int64]) -> Self:
        """Some of them.

        Args:
            numbers: Which ones, in order.
        """
        return type(self)(**{part.name: getattr(self, part.name)[numbers] for part in fields(self)})

    def in_order(self) -> Self:
        """All of them from the beginning of the coil to its end."""
        return self.take(np.lexsort((self.class_number, self.area, self.across, self.along)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Coil:
    """A coil with everything found on it.

    Args:
        classes: Names of the classes; class 1 is the first.
        images: Names of the images in their order along the coil.
        starts: Where each image begins along the coil, float64, in pixels.
        lengths: How far each image reaches, float64, in pixels.
        unread: Which images could not be judged, bool: they take their place,
            and nothing is known of it.
        width: Pixels across.
        defects: What was found, from the beginning of the coil to its end.
        mm_per_pixel: Size of a pixel; None if it is not known.
        is_partial: Whether the run that judged the images was stopped before
            the last of them.
    """

    classes: tuple[str, ...]
    images: tuple[str, ...]
    starts: NDArray[np.float64]
    lengths: NDArray[np.float64]
    unread: NDArray[np.bool_]
    width: float
    defects: CoilDefects
    mm_per_pixel: float | None = None
    is_partial: bool = False

    def __post_init__(self) -> None:
        """Refuse images that lie on each other, and pixels without a size."""
        if self.mm_per_pixel is not None and not 0 < self.mm_per_pixel < np.inf:
            msg = f"mm_per_pixel must be positive, got {self.mm_per_pixel}"
            raise ConfigError(msg)
        early = np.flatnonzero(self.starts[1:] < (self.starts + self.lengths)[:-1] - 0.5)
        if early.size:
            first, second = self.images[early[0]], self.images[early[0] + 1]
            msg = (
                f"{second} begins before {first} ends: images must follow each other along the "
                "coil. Mend the order, or the starts in it"
            )
            raise ConfigError(msg)

    @property
    def length(self) -> float:
        """Pixels from the beginning of the first image to the end of the last."""
        return float(self.starts[-1] + self.lengths[-1]) if self.images else 0.0

    def unseen(self) -> NDArray[np.float64]:
        """Stretches that nothing is known of: images not read, and gaps between images.

        Returns:
            Beginning and end of each along the coil, shape ``(stretches, 2)``;
            stretches that touch are one.
        """
        begins, ends = self.starts, self.starts + self.lengths
        before = np.concatenate([[0.0], ends[:-1]])
        gaps = np.stack([before, begins], axis=1)[begins - before > 0.5]
        stretches = np.concatenate([gaps, np.stack([begins, ends], axis=1)[self.unread]])
        stretches = stretches[np.argsort(stretches[:, 0], kind="stable")]
        if not len(stretches):
            return stretches
        apart = np.concatenate([[True], stretches[1:, 0] > stretches[:-1, 1] + 0.5])
        heads = np.flatnonzero(apart)
        tails = np.concatenate([heads[1:], [len(stretches)]]) - 1
        return np.stack([stretches[heads, 0], stretches[tails, 1]], axis=1)

    def seen_before(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many pixels of the coil were seen before each of some places along it.

        Args:
            places: Along the coil, in pixels.
        """
        begins, ends = self.unseen().T
        before = np.concatenate([[0.0], np.cumsum(ends - begins)])
        passed = np.searchsorted(begins, places, side="right")
        last = np.concatenate([[0.0], ends])[passed]
        return np.asarray(places - before[passed] + np.maximum(0.0, last - places))

    @property
    def seen(self) -> float:
        """How many pixels along the coil were judged."""
        return float(self.seen_before(np.array([self.length]))[0])
