"""Write image files, completely or not at all."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files
from steel_defect_detection.errors import ImageError
from steel_defect_detection.images.quiet import SILENT_OPENCV

_WRITTEN = (".png", ".jpg", ".jpeg")


def write(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write an image file, completely or not at all.

    Args:
        path: File to write; ``.png`` keeps each value, ``.jpg`` and ``.jpeg``
            do not.
        image: Pixels, uint8, shape ``(height, width, 3)`` in the order red,
            green, blue; or ``(height, width)`` or ``(height, width, 1)``.

    Raises:
        ImageError: If the ending is another, or the array no such image.
        ResultsError: If the file cannot be written there.
    """
    files.write_bytes(path, encode(image, path))


def encode(image: NDArray[np.uint8], path: str | Path) -> bytes:
    """Make the bytes of an image file.

    Args:
        image: Pixels, uint8, shape ``(height, width, 3)`` in the order red,
            green, blue; or ``(height, width)`` or ``(height, width, 1)``.
        path: File they are for; its ending decides the format.

    Raises:
        ImageError: If the ending is another than those of ``write``, or the
            array no such image.
    """
    ending = Path(path).suffix.lower()
    if ending not in _WRITTEN:
        msg = f"{path}: images are written as {', '.join(_WRITTEN)}, got {ending!r}"
        raise ImageError(msg)
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3):
        msg = (
            f"{path}: expected a uint8 image with 1 or 3 channels, "
            f"got {image.dtype} of shape {image.shape}"
        )
        raise ImageError(msg)
    return _encode(image[..., ::-1] if channels == 3 else image, ending, path)


def _encode(image: NDArray[np.uint8], ending: str, path: str | Path) -> bytes:
    try:
        with SILENT_OPENCV:
            done, data = cv2.imencode(ending, np.ascontiguousarray(image))
    except cv2.error:
        done = False
    if not done:
        msg = f"{path}: an image of shape {image.shape} cannot be written as {ending}"
        raise ImageError(msg)
    return data.tobytes()
