"""Images and masks that tests hold in memory, as sources of a data set's entries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
