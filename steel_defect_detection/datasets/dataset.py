"""Dataset: a sequence of samples that are read from disk when asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.sample import Sample


class MaskSource(Protocol):
    """Where the masks of one image come from."""

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read the masks, bool, shape ``(classes, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a data set's table of contents.

    Args:
        name: Name of the image inside its data set.
        path: The image file.
        labels: Whether each class occurs; None if nothing is known.
        masks: Where the masks come from; None if there are only labels.
        group: Images of one group show the same thing and must not be parted
            by a split; None if the image stands alone.
    """

    name: str
    path: Path
    labels: tuple[bool, ...] | None = None
    masks: MaskSource | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset(Sequence[Sample]):
    """A sequence of samples; images and masks are read at each access.

    Args:
        classes: Names of the defect classes, in the order of the masks.
        entries: Table of contents, one entry per image.
    """

    classes: tuple[str, ...]
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.entries)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Sample | Self:
        """Read one sample, or take a part of the data set without reading it."""
        if isinstance(index, slice):
            return replace(self, entries=self.entries[index])
        entry = self.entries[index]
        image = images.read(entry.path)
        height, width = image.shape[:2]
        labels = None if entry.labels is None else np.array(entry.labels, dtype=np.bool_)
        masks = None if entry.masks is None else entry.masks.read((height, width))
        return Sample(
            name=entry.name, image=image, classes=self.classes, masks=masks, labels=labels
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, in order."""
        return tuple(entry.name for entry in self.entries)

    def labels(self) -> NDArray[np.bool_]:
        """Which classes occur in which image, without reading a pixel.

        Returns:
            bool, shape ``(images, classes)``.

        Raises:
            AnnotationError: If an image has no labels.
        """
        unknown = [entry.name for entry in self.entries if entry.labels is None]
        if unknown:
            msg = f"{len(unknown)} images have no labels, first: {', '.join(unknown[:3])}"
            raise AnnotationError(msg)
        rows = [entry.labels for entry in self.entries]
        return np.array(rows, dtype=np.bool_).reshape(len(rows), len(self.classes))

    def subset(self, indices: Iterable[int]) -> Self:
        """Take the images with these numbers, counted from 0, in this order."""
        return replace(self, entries=tuple(self.entries[index] for index in indices))
