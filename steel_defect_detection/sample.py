"""Sample: one image with its annotations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import AnnotationError


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One image with what is known about it.

    A sample has masks, or only labels, or neither. Labels are read from the
    masks where there are masks.

    Args:
        name: Name of the image inside its data set, usually the file name.
        image: Pixels, uint8, shape ``(height, width, channels)`` with 1 or 3
            channels in the order red, green, blue.
        classes: Names of the defect classes, in the order of the masks.
        masks: One mask per class, bool, shape ``(classes, height, width)``.
        labels: Whether each class occurs, bool, shape ``(classes,)``.
        group: What it shares with the images that show the same thing, such as
            the part in front of the camera; None if that is not known.

    Raises:
        ImageError: If the image is not uint8 or not of that shape.
        AnnotationError: If masks or labels do not fit the image and classes.
    """

    name: str
    image: NDArray[np.uint8]
    classes: tuple[str, ...]
    masks: NDArray[np.bool_] | None = None
    labels: NDArray[np.bool_] | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        images.check(self.image, self.name)
        if self.masks is not None:
            self._check("masks", self.masks, (len(self.classes), *self.shape))
            object.__setattr__(self, "labels", self.masks.any(axis=(1, 2)))
        if self.labels is not None:
            self._check("labels", self.labels, (len(self.classes),))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image, in pixels."""
        height, width = self.image.shape[:2]
        return height, width

    def _check(self, what: str, array: NDArray[np.bool_], shape: tuple[int, ...]) -> None:
        if array.dtype != np.bool_ or array.shape != shape:
            msg = (
                f"{self.name}: expected bool {what} of shape {shape}, "
                f"got {array.dtype} of shape {array.shape}"
            )
            raise AnnotationError(msg)


def are_defects(classes: Sequence[str], good_class: str | None) -> NDArray[np.bool_]:
    """Tell which classes are defects: all but the one that means "free of defects".

    Args:
        classes: Names of the classes.
        good_class: The class, if any, that means "free of defects".

    Returns:
        bool, shape ``(classes,)``.

    Example:
        >>> are_defects(("good", "pits", "rust"), "good").tolist()
        [False, True, True]
    """
    return np.array([name != good_class for name in classes], dtype=np.bool_)
