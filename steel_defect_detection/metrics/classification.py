"""How well scores separate images with defects from clean ones."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import binary_auroc


def auroc(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic.

    It is the probability that an image with the label scores above one
    without, ties counting one half.

    Args:
        scores: One score per image, shape ``(images,)``.
        labels: Whether each image has the label, bool, shape ``(images,)``.

    Returns:
        0 to 1, or NaN if only one kind of image is there.
    """
    if labels.all() or not labels.any():
        return float("nan")
    values = torch.from_numpy(np.asarray(scores, dtype=np.float64))
    return float(binary_auroc(values, torch.from_numpy(labels.astype(np.int64))))


def bootstrap_interval(
    statistic: Callable[..., float],
    *values: NDArray[np.generic],
    rounds: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic.

    Images are drawn with replacement; draws on which the statistic is not
    defined are left out.

    Args:
        statistic: Function of the arrays, giving one number.
        *values: Arrays with one row per image.
        rounds: How many draws.
        level: Share of draws between the two ends.
        seed: Number that the draws depend on.

    Returns:
        Lower and upper end.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    random = np.random.default_rng(seed)
    count = len(values[0])
    draws = [
        statistic(*(array[chosen] for array in values))
        for chosen in random.integers(0, count, size=(rounds, count))
    ]
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
