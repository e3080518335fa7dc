"""What an image is within this package."""

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ImageError


def check(image: NDArray[np.uint8], name: str) -> None:
    """Raise unless an array is an image as this package passes them on.

    Args:
        image: Pixels, to be uint8 of shape ``(height, width, channels)`` with
            1 or 3 channels.
        name: What the image is called in the message.

    Raises:
        ImageError: If it is something else.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (1, 3):
        msg = (
            f"{name}: expected a uint8 image (height, width, 1 or 3 channels), "
            f"got {image.dtype} of shape {image.shape}"
        )
        raise ImageError(msg)
