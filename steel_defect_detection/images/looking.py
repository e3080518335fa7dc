"""Look at a few images of many, before all of them are judged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from steel_defect_detection.errors import ImageError
from steel_defect_detection.images.decoding import read

# A camera's noise alone gives more grey values than this.
FEW_VALUES = 8
"""Grey values of an image that is rather a mask."""

_LOOKED_AT = 16


def rather_masks(paths: Sequence[Path]) -> tuple[list[Path], int]:
    """Find masks where photographs are expected: images of a few grey values.

    Looks at up to 16 images, evenly spread over all. Files that cannot be read are
    not counted: judging them says what is wrong.

    Args:
        paths: Image files.

    Returns:
        Those that are rather masks, and how many were looked at.
    """
    chosen = np.unique(np.linspace(0, len(paths) - 1, _LOOKED_AT).round().astype(int))
    found, looked_at = [], 0
    for number in chosen.tolist() if paths else []:
        try:
            image = read(paths[number], grey=True)
        except ImageError:
            continue
        looked_at += 1
        if np.count_nonzero(np.bincount(image.ravel(), minlength=256)) <= FEW_VALUES:
            found.append(paths[number])
    return found, looked_at
