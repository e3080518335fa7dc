"""Look at a few images of many, before all of them are judged."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ImageError
from steel_defect_detection.images.decoding import read_unscaled, size

# A camera's noise alone gives more grey values than this.
FEW_VALUES = 8
"""Grey values of an image that is rather a mask."""

_LOOKED_AT = 16
_TWELVE_BITS = 4095


class Looked(NamedTuple):
    """What a few images of many are like.

    Args:
        looked_at: How many were looked at.
        masks: Those that are rather masks, of ``FEW_VALUES`` grey values or fewer.
        dark: Those of 16 bits that use 12 of them or fewer, so that they are read
            as almost black.
    """

    looked_at: int
    masks: list[Path]
    dark: list[Path]


def look(paths: Sequence[Path]) -> Looked:
    """Find what is no photograph, or a dark one, where photographs are expected.

    Looks at up to 16 images, evenly spread over all. Files that cannot be read are
    not counted: judging them says what is wrong.

    Args:
        paths: Image files.
    """
    looked = Looked(0, [], [])
    for path in _chosen(paths):
        try:
            pixels = read_unscaled(path)
        except ImageError:
            continue
        looked = looked._replace(looked_at=looked.looked_at + 1)
        if pixels.dtype.kind == "u" and _values(pixels) <= FEW_VALUES:
            looked.masks.append(path)
        elif pixels.dtype == np.uint16 and pixels.max() <= _TWELVE_BITS:
            looked.dark.append(path)
    return looked


def sizes(paths: Sequence[Path]) -> list[tuple[Path, tuple[int, int]]]:
    """Read the sizes of up to 16 images, evenly spread over all.

    Args:
        paths: Image files; those that cannot be read are left out.

    Returns:
        Each path with its height and width in pixels.
    """
    found = []
    for path in _chosen(paths):
        with suppress(ImageError):
            found.append((path, size(path)))
    return found


def _chosen(paths: Sequence[Path]) -> list[Path]:
    numbers = np.unique(np.linspace(0, len(paths) - 1, _LOOKED_AT).round().astype(int))
    return [paths[number] for number in numbers.tolist()] if paths else []


def _values(pixels: NDArray[Any]) -> int:
    """How many brightnesses there are."""
    return int(np.count_nonzero(np.bincount(pixels.max(axis=2).ravel())))
