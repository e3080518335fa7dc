"""Pictures small enough to be mailed, as ``data:`` addresses.

Every picture is decoded, made smaller and encoded again: what a file holds
beside pixels does not get into a report.
"""

import base64
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.report.blocks import Picture

# A strip of 1600 x 256 becomes 960 x 154, a square 389 x 389.
_LARGE_WIDTH, _LARGE_PIXELS = 960, 152_000
_SMALL_WIDTH, _SMALL_PIXELS = 240, 24_000
_CHART_WIDTH, _CHART_PIXELS = 1_000, 4_000_000
_QUALITY = 80


def large(image: NDArray[np.uint8], alt: str) -> Picture:
    """Make a picture to be looked at.

    Args:
        image: Red, green, blue, uint8, shape ``(height, width, 3)``.
        alt: What it shows.
    """
    return _jpeg(_at_most(image, _LARGE_WIDTH, _LARGE_PIXELS), alt)


def small(image: NDArray[np.uint8], alt: str) -> Picture:
    """Make a picture for a row of a table.

    Args:
        image: Red, green, blue, uint8, shape ``(height, width, 3)``.
        alt: What it shows.
    """
    return _jpeg(_at_most(image, _SMALL_WIDTH, _SMALL_PIXELS), alt)


def chart(path: Path, alt: str) -> Picture:
    """Read a chart, whose letters and lines stay sharp.

    Args:
        path: The file.
        alt: What it shows.

    Raises:
        ImageError: If it cannot be read.
    """
    image = _at_most(images.read(path), _CHART_WIDTH, _CHART_PIXELS)
    return _picture(image, images.encode(image, path.with_suffix(".png")), "png", alt)


def sheet(path: Path, alt: str) -> Picture:
    """Read a sheet of photographs.

    Args:
        path: The file.
        alt: What it shows.

    Raises:
        ImageError: If it cannot be read.
    """
    return _jpeg(_at_most(images.read(path), _CHART_WIDTH, _CHART_PIXELS), alt)


def _jpeg(image: NDArray[np.uint8], alt: str) -> Picture:
    # Without 4:4:4 the thin coloured outlines would become pale.
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    settings = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), settings)
    return _picture(image, data.tobytes(), "jpeg", alt)


def _picture(image: NDArray[np.uint8], data: bytes, kind: str, alt: str) -> Picture:
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Picture(alt=alt, source=source, width=image.shape[1], height=image.shape[0])


def _at_most(image: NDArray[np.uint8], widest: int, pixels: int) -> NDArray[np.uint8]:
    """Make an image so small that it has neither more width nor more pixels."""
    height, width = image.shape[:2]
    scale = min(widest / width, math.sqrt(pixels / (width * height)))
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
