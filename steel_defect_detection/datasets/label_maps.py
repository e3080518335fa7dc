"""Masks that are stored as one grey picture per image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import AnnotationError

WHITE = 127
"""Grey value above which a black and white mask is white."""


@dataclass(frozen=True, kw_only=True)
class LabelMapFile:
    """A picture whose grey value names the class of each pixel, 0 for none.

    Args:
        path: The picture.
        class_count: How many classes there are.
    """

    path: Path
    class_count: int

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read the masks, bool, shape ``(classes, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.

        Raises:
            AnnotationError: If the picture has another size or a value that
                is no class.
        """
        values = _grey(self.path, shape)
        if values.max() > self.class_count:
            msg = f"{self.path}: value {values.max()}, but there are {self.class_count} classes"
            raise AnnotationError(msg)
        masks: NDArray[np.bool_] = values == np.arange(1, self.class_count + 1)[:, None, None]
        return masks


@dataclass(frozen=True, kw_only=True)
class ThresholdedFile:
    """A picture that is bright where one class occurs.

    Args:
        path: The picture.
        class_number: The class it shows, counted from 1, or 0 for none.
        class_count: How many classes there are.
        threshold: Grey values above it belong to the defect.
    """

    path: Path
    class_number: int
    class_count: int
    threshold: int = WHITE

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read the masks, bool, shape ``(classes, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.

        Raises:
            AnnotationError: If the picture has another size.
        """
        masks = np.zeros((self.class_count, *shape), dtype=np.bool_)
        if self.class_number:
            masks[self.class_number - 1] = _grey(self.path, shape) > self.threshold
        return masks


@dataclass(frozen=True)
class NoDefect:
    """Masks of an image that is known to be free of defects.

    Args:
        class_count: How many classes there are.
    """

    class_count: int

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return empty masks, bool, shape ``(classes, height, width)``.

        Args:
            shape: Height and width of the image, in pixels.
        """
        return np.zeros((self.class_count, *shape), dtype=np.bool_)


def _grey(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    values = images.read_values(path)[..., 0]
    if values.shape != shape:
        msg = f"{path} is {values.shape[1]} x {values.shape[0]}, its image {shape[1]} x {shape[0]}"
        raise AnnotationError(msg)
    return values
