"""Densities for small networks: what they see on some images is what is familiar to them."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection.calibration import density
from steel_defect_detection.calibration.density import Look
from steel_defect_detection.models import weights
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.familiarity import PREFIX
from steel_defect_detection.models.stages import Watch, statistics

Tensors = Mapping[str, NDArray[np.generic]]


def noise(count: int, shape: tuple[int, int], channels: int = 3, seed: int = 1) -> NDArray:
    """Images of uniform noise, which toy networks are to find familiar."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (count, *shape, channels), dtype=np.uint8)


def familiar(
    config: GraphConfig, tensors: Tensors, images: NDArray, *, temperature: float = 1.0
) -> tuple[GraphConfig, dict[str, NDArray[np.generic]]]:
    """Let a network find these images familiar; odd and even ones are two kinds.

    Returns:
        The graph and its weights, as a calibrated checkpoint holds them.
    """
    graph = weights.restored_plain(config, tensors)
    watch = Watch(graph.network)
    looks = []
    with torch.inference_mode():
        for number, image in enumerate(images):
            with watch() as seen:
                graph(torch.from_numpy(image[None]))
            numbers = statistics(seen).numpy()
            looks.append(Look(numbers=numbers, kind=number % 2, group=number))
    found = density.fit(looks, [stage.shape[1] for stage in seen], kept=0.9)
    update = {"familiarity": found.config, "temperature": temperature}
    filled = {name: value.numpy() for name, value in found.state_dict(prefix=PREFIX).items()}
    return config.model_copy(update=update), {**tensors, **filled}
