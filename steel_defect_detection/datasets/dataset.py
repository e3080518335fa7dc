"""Dataset: a sequence of samples that are read from disk when asked for."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError, ImageError
from steel_defect_detection.sample import Sample, are_defects


class PixelSource(Protocol):
    """Where the pixels of one image come from, if not from an image file."""

    def read(self) -> NDArray[np.uint8]:
        """Read the image, uint8, shape ``(height, width, 1 or 3)``."""
        ...


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
        path: The image file; None where only its annotations are at hand.
        pixels: How to read the image if ``path`` is no image file.
        shape: Height and width in pixels, where they are known beforehand.
        labels: Whether each class occurs; None if nothing is known.
        masks: Where the masks come from; None if there are only labels.
        group: Images of one group show the same thing and must not be parted
            by a split; None if the image stands alone.
        part: Part of the data set's own published split, for example ``test``.
        claim: Class that the image is said to show, for example by the folder
            it lies in, although what counts is its mask.
        made_from: For a synthetic image what it shows of real ones: their groups,
            or names where they stand alone. None for a photograph.
        recipe: For a synthetic image how it was made, as its manifest says: way,
            source, seed and parameters.
    """

    name: str
    path: Path | None = None
    pixels: PixelSource | None = None
    shape: tuple[int, int] | None = None
    labels: tuple[bool, ...] | None = None
    masks: MaskSource | None = None
    group: str | None = None
    part: str | None = None
    claim: str | None = None
    made_from: tuple[str, ...] | None = None
    recipe: tuple[str, ...] = ()

    @property
    def has_image(self) -> bool:
        """Whether there is an image, and not only its annotations."""
        return self.path is not None or self.pixels is not None

    def read_image(self) -> NDArray[np.uint8]:
        """Read the image, uint8, shape ``(height, width, 1 or 3)``.

        Raises:
            ImageError: If the file is no readable image.
            DatasetNotFoundError: If only the image's annotations are at hand.
        """
        if self.pixels is not None:
            return self.pixels.read()
        if self.path is None:
            msg = f"{self.name}: its annotations are here, but not the image itself"
            raise DatasetNotFoundError(msg)
        return images.read(self.path)

    def read_shape(self) -> tuple[int, int]:
        """Height and width in pixels, from the file's header where that is enough."""
        if self.shape is not None:
            return self.shape
        if self.pixels is None and self.path is not None:
            return images.size(self.path)
        height, width = self.read_image().shape[:2]
        return height, width

    def read_masks(self) -> NDArray[np.bool_] | None:
        """Read the masks without the image, bool, shape ``(classes, height, width)``."""
        return None if self.masks is None else self.masks.read(self.read_shape())

    def labelled(self) -> Self:
        """Fill in the labels from the masks, if there are masks and no labels."""
        masks = None if self.labels is not None else self.read_masks()
        if masks is None:
            return self
        return replace(self, labels=tuple(bool(mask.any()) for mask in masks))


@dataclass(frozen=True, kw_only=True)
class Dataset(Sequence[Sample]):
    """A sequence of samples; images and masks are read at each access.

    Args:
        classes: Names of the classes, in the order of the masks.
        entries: Table of contents, one entry per image.
        good_class: The class, if any, that means "free of defects". In most
            data sets an image is that if none of its classes occurs.
        note: What whoever measures on it must know; empty if nothing.
    """

    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    good_class: str | None = None
    note: str = ""

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
        image = entry.read_image()
        height, width = image.shape[:2]
        labels = None if entry.labels is None else np.array(entry.labels, dtype=np.bool_)
        masks = None if entry.masks is None else entry.masks.read((height, width))
        return Sample(
            name=entry.name,
            image=image,
            classes=self.classes,
            masks=masks,
            labels=labels,
            group=entry.group,
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

    def median_size(self) -> tuple[int, int] | None:
        """Median height and width in pixels of up to 16 images, evenly spread over all.

        Returns:
            None if no size can be read.
        """
        numbers = np.unique(np.linspace(0, len(self) - 1, 16).astype(int)) if len(self) else ()
        shapes = []
        for number in numbers:
            with suppress(ImageError, DatasetNotFoundError):
                shapes.append(self.entries[number].read_shape())
        if not shapes:
            return None
        height, width = np.median(shapes, axis=0).astype(int).tolist()
        return height, width

    def labelled(self) -> Self:
        """Fill in the labels of images that have masks, which are read one after the other."""
        return replace(self, entries=tuple(entry.labelled() for entry in self.entries))

    def defective(self) -> NDArray[np.bool_]:
        """Which images show any defect, bool, shape ``(images,)``.

        Raises:
            AnnotationError: If an image has no labels.
        """
        bad = are_defects(self.classes, self.good_class)
        return np.asarray(self.labels()[:, bad].any(axis=1), dtype=np.bool_)

    def subset(self, indices: Iterable[int]) -> Self:
        """Take the images with these numbers, counted from 0, in this order."""
        return replace(self, entries=tuple(self.entries[index] for index in indices))
