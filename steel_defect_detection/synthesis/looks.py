"""What real defects of one class look like: size, shape, direction and contrast.

A few outlined images are enough to measure it. Drawn defects that follow a look
are as long, wide and bright as the real ones, and lie as those do.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, masks
from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.synthesis.backgrounds import Grey

# Smaller components are slips of the pen.
SMALLEST_COMPONENT = 10
# A defect is compared with what lies so far around it. Outlines are drawn a little wide or narrow,
# so the nearest pixels count for neither side.
NEAR, FAR = 2, 9
# Grey levels below which metal counts as no darker: there a share is mostly rounding.
LEAST_BRIGHTNESS = 10.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """Measures of real defects, one number per component, in the same order.

    Args:
        areas: Pixels of each.
        elongations: Length by width of each, at least 1.
        angles: Direction of each length in degrees, 0 across to the right, 90
            down, less than 180.
        contrasts: How much brighter each is than the metal around it, as a share
            of the brightness there; negative where it is darker. Dark defects
            swallow a share of the light, on smooth metal as on rough.
        counts: Components per image, for each image that has any.
    """

    areas: tuple[float, ...]
    elongations: tuple[float, ...]
    angles: tuple[float, ...]
    contrasts: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = [len(getattr(self, field.name)) for field in fields(self)]
        if len(set(lengths[:-1])) != 1 or 0 in lengths:
            msg = (
                "a look needs as many areas as elongations, angles and contrasts, and a count, "
                f"got {', '.join(map(str, lengths[:-1]))} and {lengths[-1]} counts"
            )
            raise ConfigError(msg)
        if min(self.areas) <= 0 or min(self.elongations) < 1 or min(self.counts) < 1:
            msg = (
                "areas and counts must be positive and elongations at least 1, "
                f"got {min(self.areas):g}, {min(self.counts)} and {min(self.elongations):g}"
            )
            raise ConfigError(msg)

    @property
    def dark_share(self) -> float:
        """Share of the components that are darker than their surroundings, 0 to 1."""
        return float(np.mean(np.array(self.contrasts) < 0))


def look_at(samples: Iterable[tuple[NDArray[np.uint8], NDArray[np.bool_]]]) -> Look:
    """Measure real defects of one class.

    Args:
        samples: Images with the mask of the class: uint8 of shape ``(height,
            width, 1 or 3)`` and bool of shape ``(height, width)``.

    Returns:
        Measures of all components of at least ``SMALLEST_COMPONENT`` pixels.

    Raises:
        ImageError: If an image is none.
        MaskError: If a mask is none or has not the size of its image.
        ConfigError: If no mask has such a component.

    Example:
        >>> image = np.full((40, 40, 1), 100, np.uint8)
        >>> mask = np.zeros((40, 40), np.bool_)
        >>> mask[10:14, 5:35] = True
        >>> image[mask] = 60
        >>> look = look_at([(image, mask)])
        >>> look.areas, look.angles, look.contrasts
        ((120.0,), (0.0,), (-0.4,))
    """
    found: list[tuple[float, float, float, float]] = []
    counts = []
    for number, (image, mask) in enumerate(samples, 1):
        _check(image, mask, f"sample {number}")
        components = _components(image, mask)
        found += components
        counts += [len(components)] if components else []
    if not found:
        msg = (
            f"no mask has a component of {SMALLEST_COMPONENT} pixels or more. "
            "Pass images with outlined defects"
        )
        raise ConfigError(msg)
    areas, elongations, angles, contrasts = zip(*found, strict=True)
    return Look(
        areas=areas,
        elongations=elongations,
        angles=angles,
        contrasts=contrasts,
        counts=tuple(counts),
    )


def _check(image: NDArray[np.uint8], mask: NDArray[np.bool_], name: str) -> None:
    images.check(image, name)
    if mask.dtype != np.bool_ or mask.shape != image.shape[:2]:
        msg = (
            f"{name}: expected a bool mask of shape {image.shape[:2]} like its image, "
            f"got {mask.dtype} of shape {mask.shape}"
        )
        raise MaskError(msg)


def _components(
    image: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> list[tuple[float, float, float, float]]:
    """Return area, elongation, angle and contrast of each component that is large enough."""
    grey = images.to_grey(image)[:, :, 0].astype(np.float32)
    numbers, count = masks.components(mask)
    clean = ~_grown(mask, NEAR)
    measures = []
    for number in range(1, count + 1):
        component = numbers == number
        area = int(np.count_nonzero(component))
        if area < SMALLEST_COMPONENT:
            continue
        contrast = _contrast(grey, component, clean)
        measures.append((float(area), *_shape(component), contrast))
    return measures


def _shape(component: NDArray[np.bool_]) -> tuple[float, float]:
    """Return elongation and direction in degrees, from the spread of the pixels."""
    rows, columns = np.nonzero(component)
    # A pixel is a square with a spread of its own, 1/12 along each side.
    spread = np.cov(np.stack([columns, rows]), bias=True) + np.eye(2) / 12
    (small, large), directions = np.linalg.eigh(spread)
    across, down = directions[:, 1]
    angle = math.degrees(math.atan2(down, across)) % 180
    # Just below 180 is just above 0: rounded, so that the same line is never at both ends.
    return math.sqrt(large / small), round(angle, 3) % 180


def _contrast(grey: Grey, component: NDArray[np.bool_], clean: NDArray[np.bool_]) -> float:
    """Return how much brighter a component is than what lies around it, as a share of that."""
    rows, columns = np.nonzero(component)
    window = (
        slice(max(0, rows.min() - FAR - NEAR), rows.max() + FAR + NEAR + 1),
        slice(max(0, columns.min() - FAR - NEAR), columns.max() + FAR + NEAR + 1),
    )
    grey, component, clean = grey[window], component[window], clean[window]
    around = _grown(component, FAR) & clean
    if not around.any():
        return 0.0
    brightness = float(grey[around].mean())
    difference = float(grey[component].mean()) - brightness
    # Rounded, for sums of float32 stray in the last places.
    return round(difference / max(brightness, LEAST_BRIGHTNESS), 4)


def _grown(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Return the mask with all pixels within a distance, corners counting as near as sides."""
    square = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    return cv2.dilate(mask.astype(np.uint8), square).astype(np.bool_)
