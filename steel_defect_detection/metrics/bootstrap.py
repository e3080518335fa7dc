"""How far a measure can be trusted: intervals by drawing the images again."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def interval(
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
        Lower and upper end; NaN if no draw is defined, as without images.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    random = np.random.default_rng(seed)
    count = len(values[0])
    if not count:
        return float("nan"), float("nan")
    draws = [
        statistic(*(array[chosen] for array in values))
        for chosen in random.integers(0, count, size=(rounds, count))
    ]
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
