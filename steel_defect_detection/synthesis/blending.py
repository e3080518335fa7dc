"""Blend a patch into a sheet, so that no seam is seen.

Poisson's blending keeps the patch's own contrasts and takes everything else from
what surrounds it. Solving its equation is the same as adding a membrane to the
patch: the smoothest surface that equals, along the patch's rim, the difference
between sheet and patch. Here it is stretched over logarithms of grey levels, so
that a defect keeps its contrast in per cent on a darker or brighter sheet.

Sources: Perez, Gangnet, Blake, "Poisson image editing", 2003; Farbman et al.,
"Coordinates for instant image cloning", 2009. OpenCV's seamlessClone is not used:
in release 5.0 two calls with the same images give different pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

from steel_defect_detection.synthesis.backgrounds import WHITE

MARGIN = 9
"""Pixels around a defect over which its patch goes over into the sheet."""

# Pixels around a defect that belong to it in full.
_CORE = 2
# Keeps logarithms of dark pixels from being all noise.
_OFFSET = 16.0
_SIGMA = 2.0
# The membrane is smooth: a grid of this many cells at most is fine enough.
_MOST_CELLS = 48
_LARGEST_GAIN = 4.0


def blend(
    sheet: NDArray[np.uint8], patch: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Blend a defect into a sheet.

    Args:
        sheet: What surrounds it, uint8, shape ``(height, width, channels)``.
        patch: The defect with its own surroundings, same shape.
        mask: The defect, bool, shape ``(height, width)``.

    Returns:
        The sheet, with the defect; unchanged ``MARGIN`` pixels away from it.
    """
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    opacity = np.clip((MARGIN - distance) / (MARGIN - _CORE), 0, 1).astype(np.float32)
    rim = (distance > _CORE) & (distance < MARGIN)
    whole, own = sheet.astype(np.float32), patch.astype(np.float32)
    if rim.any():
        own = _lit(own, whole, mask, rim, opacity > 0)
    blended = whole + opacity[..., None] * (own - whole)
    return np.clip(np.rint(blended), 0, WHITE).astype(np.uint8)


def _lit(
    patch: NDArray[np.float32],
    sheet: NDArray[np.float32],
    mask: NDArray[np.bool_],
    rim: NDArray[np.bool_],
    region: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Light a patch as the sheet around it is lit."""
    difference = np.log(_smooth(sheet, ~mask) + _OFFSET) - np.log(_smooth(patch, ~mask) + _OFFSET)
    # One membrane for all channels, so that a grey patch stays grey.
    surface = membrane(difference.mean(axis=2), rim, region)
    gain = np.clip(np.exp(surface), 1 / _LARGEST_GAIN, _LARGEST_GAIN)[..., None]
    return np.asarray((patch + _OFFSET) * gain - _OFFSET, np.float32)


def _smooth(image: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Smooth an image without its defect, channel by channel."""
    weights = known.astype(np.float32)
    total = cv2.GaussianBlur(image * weights[..., None], (0, 0), _SIGMA)
    share = cv2.GaussianBlur(weights, (0, 0), _SIGMA)[..., None]
    smooth = total.reshape(image.shape) / np.maximum(share, 1e-3)
    return np.asarray(np.where(share > 1e-3, smooth, image), np.float32)


def membrane(
    values: NDArray[np.floating], known: NDArray[np.bool_], region: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Stretch the smoothest surface over a region (Laplace's equation, on a coarse grid).

    Args:
        values: Heights, shape ``(height, width)``; they count where ``known``.
        known: Where the surface is held, at least at one pixel.
        region: Where it is wanted.

    Returns:
        The surface, float32, shape ``(height, width)``; it means nothing outside
        the region.
    """
    left, top, width, height = cv2.boundingRect((region | known).astype(np.uint8))
    window = (slice(top, top + height), slice(left, left + width))
    cell = max(1, -(-max(width, height) // _MOST_CELLS))
    held = _summed(known[window].astype(np.float64), cell)
    sums = _summed(np.where(known[window], values[window], 0.0), cell)
    heights = _relaxed(np.where(held > 0, sums / np.maximum(held, 1), 0.0), held > 0)
    rows, columns = heights.shape
    fine = cv2.resize(
        heights.astype(np.float32), (columns * cell, rows * cell), interpolation=cv2.INTER_LINEAR
    )
    surface = np.zeros(values.shape, np.float32)
    surface[window] = fine[:height, :width]
    return surface


def _summed(values: NDArray[np.float64], cell: int) -> NDArray[np.float64]:
    """Add up the values of each cell of a grid."""
    rows, columns = (-(-size // cell) for size in values.shape)
    padded = np.zeros((rows * cell, columns * cell))
    padded[: values.shape[0], : values.shape[1]] = values
    return np.asarray(padded.reshape(rows, cell, columns, cell).sum(axis=(1, 3)))


def _relaxed(heights: NDArray[np.float64], held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Let each cell that is not held be the mean of its neighbours."""
    free = ~held
    if not free.any():
        return heights
    numbers = np.cumsum(free.ravel()).reshape(free.shape) - 1
    count = int(free.sum())
    rows, columns, known = [], [], np.zeros(count)
    degree = np.zeros(count)
    for axis in (0, 1):
        for one, other in ((slice(None, -1), slice(1, None)), (slice(1, None), slice(None, -1))):
            here = (one, slice(None)) if axis == 0 else (slice(None), one)
            there = (other, slice(None)) if axis == 0 else (slice(None), other)
            is_free, is_held = free[here] & free[there], free[here] & held[there]
            np.add.at(degree, numbers[here][free[here]], 1)
            rows.append(numbers[here][is_free])
            columns.append(numbers[there][is_free])
            np.add.at(known, numbers[here][is_held], heights[there][is_held])
    places = (np.concatenate(rows), np.concatenate(columns))
    links = sparse.csr_matrix((np.ones(len(places[0])), places), shape=(count, count))
    relaxed = heights.copy()
    relaxed[free] = spsolve(sparse.diags(degree).tocsc() - links.tocsc(), known)
    return relaxed
