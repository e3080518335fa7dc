"""Bilinear resizing that looks at every pixel, in operations that every engine runs fast.

``torch.nn.functional.interpolate(..., antialias=True)`` gives the same numbers,
but exporters lack a rule for it or engines are slow at it: OpenVINO spent more
time in it than in the whole gate.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

# A product over all classes wastes work on zeros, which pays while there are few.
_FEW = 16


def resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images, bilinearly and with antialiasing.

    Args:
        pixels: float, shape ``(batch, channels, height, width)``; height and
            width must be known when the graph is exported.
        size: Height and width wanted.

    Returns:
        float, shape ``(batch, channels, *size)``.
    """
    height, width = pixels.shape[-2:]
    if (height, width) == (2 * size[0], 2 * size[1]):
        return _halve(pixels)
    if not torch.compiler.is_exporting():
        return functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
    rows = pixels.new_tensor(weights(height, size[0]))
    columns = pixels.new_tensor(weights(width, size[1]).T)
    return rows @ pixels @ columns


def enlarge(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge what a network says of each pixel, bilinearly.

    Args:
        logits: float, shape ``(batch, classes, height, width)``.
        size: Height and width wanted, neither smaller.

    Returns:
        float, shape ``(batch, classes, *size)``.
    """
    doubled = size == (2 * logits.shape[-2], 2 * logits.shape[-1])
    if doubled and torch.compiler.is_exporting() and logits.shape[1] <= _FEW:
        return _double(logits)
    return functional.interpolate(logits, size=size, mode="bilinear")


@lru_cache(maxsize=32)
def weights(length: int, wanted: int) -> NDArray[np.float32]:
    """What each old pixel of a line counts for each new one.

    Each new pixel looks at the old ones by a triangle around its centre, as
    wide to each side as one new pixel (one old pixel, if the line grows).

    Args:
        length: Pixels of the old line.
        wanted: Pixels of the new line.

    Returns:
        float32, shape ``(wanted, length)``; each row adds up to 1.
    """
    step = length / wanted
    centres = (np.arange(wanted) + 0.5) * step
    distances = np.abs(np.arange(length) + 0.5 - centres[:, None]) / max(step, 1)
    triangles = np.maximum(1 - distances, 0)
    shares: NDArray[np.float64] = triangles / triangles.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)


def _halve(pixels: Tensor) -> Tensor:
    """Halve both sides: the triangle is 1, 3, 3, 1 everywhere, and cut at the border."""
    channels, height, width = pixels.shape[1:]
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = torch.outer(line, line).to(pixels).expand(channels, 1, 4, 4)
    halved = functional.conv2d(pixels, kernel, stride=2, padding=1, groups=channels)
    # At the border one part of eight lies outside.
    rows, columns = (torch.full((side // 2,), 8.0) for side in (height, width))
    for parts in (rows, columns):
        parts[0] -= 1
        parts[-1] -= 1
    return halved * torch.outer(8 / rows, 8 / columns).to(pixels)


def _double(logits: Tensor) -> Tensor:
    """Double both sides: each new pixel is 3/4 of the nearest old one and 1/4 of the next."""
    classes = logits.shape[1]
    before, after = torch.tensor([1.0, 3.0, 0.0]) / 4, torch.tensor([0.0, 3.0, 1.0]) / 4
    kernels = torch.stack(
        [torch.outer(row, column) for row in (before, after) for column in (before, after)]
    )
    # The four new pixels of each class see that class alone.
    own = torch.eye(classes)[:, None, :, None, None] * kernels[None, :, None]
    padded = functional.pad(logits, (1, 1, 1, 1), mode="replicate")
    quarters = functional.conv2d(padded, own.reshape(4 * classes, classes, 3, 3).to(logits))
    return functional.pixel_shuffle(quarters, 2)
