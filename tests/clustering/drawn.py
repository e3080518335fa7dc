"""Crops that a program draws: three kinds that nobody mixes up, of many sizes."""

from pathlib import Path

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.clustering import Settings

QUICK = Settings(backbone="shufflenet_v2", weights="random", size=32, clusters=3, device="cpu")
"""A small random network, and as many clusters as kinds."""

KINDS = {"stripes": 10, "smooth": 7, "grain": 5}
"""Crops of each kind."""


def crops(folder: Path, *, seed: int = 0, kinds: dict[str, int] = KINDS) -> Path:
    """Write crops into a folder per kind."""
    random = np.random.default_rng(seed)
    for kind, count in kinds.items():
        for number in range(count):
            side = int(random.integers(24, 60))
            images.write(folder / kind / f"{number:02d}.png", crop(kind, side, random))
    return folder


def crop(kind: str, side: int, random: np.random.Generator) -> np.ndarray:
    """Draw one crop, uint8, shape ``(side, side, 1)``."""
    if kind == "stripes":
        rows = np.arange(side) * 8 // side % 2 * 200 + random.integers(20)
        picture = np.repeat(rows[:, None], side, axis=1)
    elif kind == "smooth":
        picture = np.full((side, side), 90 + random.integers(20))
    else:
        # Grain is always the same, whatever is odd is so in its own way.
        grain = np.random.default_rng(1) if kind == "grain" else random
        rows = np.arange(side) * 8 // side
        picture = grain.integers(0, 256, (8, 8))[rows[:, None], rows]
    return picture[:side, :side, None].astype(np.uint8)
