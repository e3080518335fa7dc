"""Paint defects over, with the light and the grain of the sheet they are on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.synthesis import backgrounds

# Pixels around a defect that still show a little of it.
_RIM = 4
# Detail finer than this many pixels is taken from elsewhere on the sheet.
_SIGMA = 4.0
# Ways tried to move the sheet's own detail over a hole, so that as much as possible is real.
_SHIFTS = 12


def cleaned(
    image: NDArray[np.uint8], defects: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Paint defects over with the sheet's own light and grain.

    The light is continued into the hole (``cv2.inpaint`` on a coarse picture),
    the grain is moved there from other places of the sheet.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        defects: What to paint over, bool, shape ``(height, width)``.
        generator: Source of the places that the grain comes from.

    Returns:
        The image, as it was a few pixels away from the defects.
    """
    inside = with_rim(defects)
    if inside.all() or not inside.any():
        return image
    light = np.stack([_light(channel, inside) for channel in np.moveaxis(image, 2, 0)], axis=2)
    grain = _moved(image - light, inside, generator)
    filled = np.clip(np.rint(light + grain), 0, backgrounds.WHITE)
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)[..., None]
    weight = np.where(inside[..., None], np.maximum(weight, 0.5), 0)
    result = np.rint(image * (1 - weight) + filled * weight).astype(np.uint8)
    return np.asarray(result, np.uint8)


def with_rim(defects: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the pixels around defects that still show a little of them."""
    square = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    return np.asarray(cv2.dilate(defects.astype(np.uint8), square), np.bool_)


def _light(channel: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the smooth part of a channel, gone on with where the hole is."""
    known = (~inside).astype(np.float32)
    total = cv2.GaussianBlur(channel * known, (0, 0), _SIGMA)
    weight = cv2.GaussianBlur(known, (0, 0), _SIGMA)
    smooth = np.where(weight > 0.05, total / np.maximum(weight, 0.05), 0)
    far = (weight <= 0.05).astype(np.uint8)
    if far.any():
        coarse = np.clip(np.rint(smooth), 0, backgrounds.WHITE).astype(np.uint8)
        smooth = np.where(far > 0, cv2.inpaint(coarse, far, 3, cv2.INPAINT_TELEA), smooth)
        smooth = cv2.GaussianBlur(smooth.astype(np.float32), (0, 0), _SIGMA)
    return np.asarray(smooth, np.float32)


def _moved(
    detail: NDArray[np.float32], inside: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Fill a hole with detail from elsewhere: the image is shifted, and mirrored at its borders."""
    height, width = inside.shape
    result, open_ = detail.copy(), inside.copy()
    result[inside] = 0
    for _ in range(_SHIFTS):
        rows = _mirrored(np.arange(height) + generator.integers(height), height)
        columns = _mirrored(np.arange(width) + generator.integers(width), width)
        real = ~inside[np.ix_(rows, columns)] & open_
        result[real] = detail[np.ix_(rows, columns)][real]
        open_ &= ~real
    return result


def _mirrored(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Bring places back into ``0 .. size - 1``, as in a mirror at the border."""
    turned = places % (2 * size)
    return np.minimum(turned, 2 * size - 1 - turned)
