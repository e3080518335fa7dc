"""Images that an exported network is compared on, and its int8 arithmetic adjusted to."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images

MOST_PICTURES = 100
"""Of more images, so many are taken, spread evenly."""


class Pictures:
    """Images of one size, read when asked for.

    Args:
        folder: Where they lie; None for the drawn samples of this package.
        shape: Height and width that they are brought to.

    Raises:
        NoImagesError: If there are none.
        ImageError: If one of them is no readable image.
    """

    def __init__(self, folder: str | Path | None, shape: tuple[int, int]) -> None:
        """Find the images."""
        self.source = "built-in samples" if folder is None else str(folder)
        paths = images.samples() if folder is None else images.find([folder])
        steps = np.linspace(0, len(paths) - 1, min(len(paths), MOST_PICTURES)).round()
        self._paths = [paths[int(step)] for step in steps]
        self._shape = shape

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Read an image: uint8, shape ``(1, height, width, 3)``."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        return fit(images.read(self._paths[index]), self._shape)[None]


def fit(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Bring an image to a size: resize it until it covers that, then cut out the middle.

    Args:
        image: uint8, shape ``(height, width, channels)``.
        shape: Height and width wanted.
    """
    height, width = image.shape[:2]
    if (height, width) == shape:
        return image
    scale = max(shape[0] / height, shape[1] / width)
    size = (max(round(width * scale), shape[1]), max(round(height * scale), shape[0]))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=way)
    top, left = (resized.shape[0] - shape[0]) // 2, (resized.shape[1] - shape[1]) // 2
    cut = resized[top : top + shape[0], left : left + shape[1]]
    return np.ascontiguousarray(cut, dtype=np.uint8)
