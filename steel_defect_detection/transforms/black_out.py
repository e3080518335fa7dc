"""Black-out: paint defects out of an image, so that a gate learns what they are.

Without its defect the image of a bad sheet shows a good one, under the same
light, with the same scale and dirt: what the gate is left with to tell the two
apart is the defect.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Pixels from which the painting and the grain of the sheet are taken.
_NEIGHBOURHOOD = 3


def black_out(
    image: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    *,
    probability: float,
    seed: int,
    grow: int = 4,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Paint the defects of some classes out of an image.

    Each class that the image shows is painted out with the same probability:
    its defects are filled from around them (Telea 2004, "An image inpainting
    technique based on the fast marching method") and given the grain of their
    neighbourhood. Masks lose every pixel that was painted, so they go on
    saying what can be seen. Where painting would leave nothing to fill from,
    the image stays as it is.

    Args:
        image: uint8, shape ``(height, width, channels)``.
        masks: bool, shape ``(classes, height, width)``.
        probability: Chance of each class to be painted out, 0 to 1.
        seed: Number that alone decides what is painted.
        grow: Pixels by which defects are widened before, because outlines are
            drawn tightly.

    Returns:
        Image and masks, of the same shapes and types; the given arrays stay
        as they are.
    """
    random = np.random.default_rng(seed)
    drawn = random.random(len(masks)) < probability
    area = _widened(np.logical_or.reduce(masks[drawn], axis=0), grow)
    if not area.any() or area.all():
        return image, masks
    return _painted(image, area, random), masks & ~area


def _widened(area: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(area.astype(np.uint8), kernel).astype(np.bool_)


def _painted(
    image: NDArray[np.uint8], area: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.uint8]:
    filled = cv2.inpaint(image, area.astype(np.uint8), _NEIGHBOURHOOD, cv2.INPAINT_TELEA)
    # One grain for all channels: a grey image stays grey.
    grain = random.normal(0, _grain(image, area), (int(area.sum()), 1))
    painted = image.copy()
    inside = filled.reshape(image.shape)[area] + grain
    painted[area] = inside.round().clip(0, 255).astype(np.uint8)
    return painted


def _grain(image: NDArray[np.uint8], area: NDArray[np.bool_]) -> float:
    """Standard deviation of the noise around an area, in grey levels."""
    around = _widened(area, 2 * _NEIGHBOURHOOD) & ~area
    grey = image.mean(axis=2, dtype=np.float32)
    noise = np.abs(grey - cv2.medianBlur(grey, _NEIGHBOURHOOD))[around]
    # The median shrugs off edges; 1.4826 makes it the deviation of normal noise.
    return 1.4826 * float(np.median(noise))
