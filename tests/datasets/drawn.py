"""Images and masks that tests hold in memory, as sources of a data set's entries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from steel_defect_detection.datasets.dataset import Entry


@dataclass(frozen=True)
class Pixels:
    """An image in memory."""

    image: NDArray[np.uint8]

    def read(self):
        return self.image


@dataclass(frozen=True)
class Masks:
    """Masks in memory, given out whatever size is asked for."""

    masks: NDArray[np.bool_]

    def read(self, shape):
        return self.masks


def entry(name, image, masks=None, **further):
    """An entry of a grey image, shape (height, width), and masks drawn as numbers or bools."""
    pixels = Pixels(np.array(image, dtype=np.uint8)[..., None])
    source = None if masks is None else Masks(np.array(masks, dtype=np.bool_))
    return Entry(name=name, pixels=pixels, masks=source, **further)


def draw(seed: int, shape: tuple[int, int] = (200, 200)) -> np.ndarray:
    """An image with structure of its own, shape (height, width, 1)."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    rough = gaussian_filter(noise, 4) * 8 + gaussian_filter(noise[::-1], 12) * 30
    return np.clip(128 + 40 * rough, 0, 255).astype(np.uint8)[..., None]
