"""A small data set with defects whose place, size and brightness are known."""

import numpy as np

from steel_defect_detection.datasets.dataset import Dataset
from tests.datasets.drawn import entry

CLASSES = ("scratch", "pit")
SIDE = 64


def surface(seed: int, level: int = 120) -> np.ndarray:
    """A grainy grey surface, uint8, 64 x 64."""
    noise = np.random.default_rng(seed).normal(0, 3, (SIDE, SIDE))
    return np.clip(level + noise, 0, 255).astype(np.uint8)


def dataset(count: int = 6, *, clean: int = 2, groups: bool = False) -> Dataset:
    """Images with a bright bar (class 1) or a dark square (class 2), and clean ones."""
    entries = []
    for number in range(count + clean):
        pixels, masks = surface(number), np.zeros((2, SIDE, SIDE), np.bool_)
        if number < count and number % 2:
            masks[1, 20:28, 30:38] = True
            pixels[20:28, 30:38] = 50
        elif number < count:
            masks[0, 30:34, 16:48] = True
            pixels[30:34, 16:48] = 220
        group = f"tile {number // 2}" if groups else None
        made = entry(f"{number}.png", pixels, masks, group=group)
        entries.append(made)
    return Dataset(classes=CLASSES, entries=tuple(entries)).labelled()
