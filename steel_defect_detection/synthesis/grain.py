"""What the surface of a sheet is like: its light, its noise, its direction.

Whoever paints onto a sheet has to match these. All of them are measured on grey
levels, float32, 0 to 255, shape ``(height, width)``, and some around pixels
that are left out, such as a defect or what lies beside the steel.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.synthesis.backgrounds import Grey, as_grey

# Noise is what varies within boxes of this side. It holds grain and fine stripes, but no shading.
NOISE_BOX = 15
LIGHT_BOX = 31
FINE_BOX = 11
# The direction shows in a small copy, where grain has been averaged away.
LONGEST_SIDE_FOR_DIRECTION = 256
SHARPEST, BLURREST = 0.4, 2.5
# Above this level light has swallowed the grain.
OVEREXPOSED = 232.0


@dataclass(frozen=True, kw_only=True)
class Grain:
    """The grain of a whole sheet.

    Args:
        blur: Standard deviation of the Gaussian, in pixels, that would make
            the grain from white noise; it says how sharp the camera is.
        angle_degrees: Direction of stripes and roll marks, 0 across to the
            right, 90 down, less than 180.
        order: How far the surface has a direction: 0 none, 1 only stripes.
        noise: Usual standard deviation of grey levels within a small box, where
            the sheet is not overexposed.
    """

    blur: float
    angle_degrees: float
    order: float
    noise: float


def measure(grey: Grey) -> Grain:
    """Measure the grain of a sheet."""
    angle, order = _direction(grey)
    return Grain(blur=_blur(grey), angle_degrees=angle, order=order, noise=_noise(grey))


def light(grey: Grey, counted: NDArray[np.bool_]) -> Grey:
    """Return the brightness around each pixel, as the counted pixels show it.

    Args:
        grey: Grey levels.
        counted: Pixels that say how bright it is, bool, same shape. Where none
            is near, the brightness is the mean of the others.

    Returns:
        Grey levels without grain, same shape.
    """
    weights = as_grey(counted)
    mean = float(grey[counted].mean()) if counted.any() else 0.0
    share = _box(weights, LIGHT_BOX)
    total = _box((grey - mean) * weights, LIGHT_BOX)
    return as_grey(mean + total / np.maximum(share, 1 / LIGHT_BOX**2))


def noise_strength(grey: Grey, counted: NDArray[np.bool_]) -> float:
    """Return the usual standard deviation of grey levels within a small box.

    It is the median over the counted pixels, so that a few edges and marks do
    not raise it.

    Args:
        grey: Grey levels.
        counted: Pixels that are looked at, bool, same shape.

    Returns:
        The deviation in grey levels, 0 if nothing is counted.
    """
    if not counted.any():
        return 0.0
    weights = as_grey(counted)
    centred = (grey - float(grey[counted].mean())) * weights
    share = np.maximum(_box(weights, NOISE_BOX), 1 / NOISE_BOX**2)
    mean = _box(centred, NOISE_BOX) / share
    variance = _box(as_grey(centred**2), NOISE_BOX) / share - mean**2
    return math.sqrt(max(0.0, float(np.median(variance[counted]))))


def _direction(grey: Grey) -> tuple[float, float]:
    """Return the direction of a sheet's stripes in degrees, and how much order there is."""
    scale = LONGEST_SIDE_FOR_DIRECTION / max(grey.shape)
    if scale < 1:
        grey = as_grey(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    # A few glaring edges must not outvote the surface.
    limit = 3 * float(np.median(np.abs(across) + np.abs(down))) + 1e-6
    weight = 1 / np.maximum(np.hypot(across, down), limit)
    across, down = across * weight, down * weight
    difference = float(np.mean(across**2 - down**2))
    product = 2 * float(np.mean(across * down))
    total = float(np.mean(across**2 + down**2))
    # The slope is steepest at right angles to the stripes.
    angle = math.degrees(math.atan2(product, difference) / 2) + 90
    return angle % 180, math.hypot(difference, product) / max(total, 1e-12)


def _noise(grey: Grey) -> float:
    """Return the deviation within boxes that lie side by side: quick, for whole sheets."""
    height, width = (side // NOISE_BOX * NOISE_BOX for side in grey.shape)
    boxes = grey[:height, :width].reshape(height // NOISE_BOX, NOISE_BOX, -1, NOISE_BOX)
    deviations, levels = boxes.std(axis=(1, 3)), boxes.mean(axis=(1, 3))
    exposed = deviations[levels < OVEREXPOSED]
    return float(np.median(exposed)) if len(exposed) else 0.0


def _blur(grey: Grey) -> float:
    """Return the blur of the grain, from how alike neighbouring pixels are.

    White noise that was blurred by sigma has a likeness of exp(-1 / (4 sigma^2))
    between neighbours.
    """
    fine = grey - _box(grey, FINE_BOX)
    power = float(np.mean(fine**2))
    if power < 1e-3:
        return (SHARPEST + BLURREST) / 3
    # Along stripes all is alike, so the less alike direction tells.
    alike = min(np.mean(fine[1:] * fine[:-1]), np.mean(fine[:, 1:] * fine[:, :-1])) / power
    likeness = float(np.clip(alike, 1e-3, 0.97))
    return float(np.clip(math.sqrt(-1 / (4 * math.log(likeness))), SHARPEST, BLURREST))


def _box(values: Grey, side: int) -> Grey:
    return as_grey(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT_101))
