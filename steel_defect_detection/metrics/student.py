"""How far a mean of a few runs can be trusted: intervals by Student's t.

The mean of n numbers with sample standard deviation s lies within

    t(n - 1) s / sqrt(n)

of the true one in 95 % of all cases, if the numbers are independent and about
normally distributed; t is the 97.5 % quantile of Student's distribution.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Mean:
    """A mean and how far it can be trusted.

    Args:
        count: Of how many numbers it is.
        mean: The mean; NaN of none.
        std: Sample standard deviation (divided by count - 1); NaN below two.
        low: Lower end of the interval; NaN below two.
        high: Upper end; NaN below two.
    """

    count: int
    mean: float
    std: float
    low: float
    high: float


def mean(values: Sequence[float], *, level: float = 0.95) -> Mean:
    """Average numbers, with a t-interval of the mean.

    Args:
        values: Numbers, such as one measure of several runs.
        level: Share of such intervals that hold the true mean.

    Example:
        >>> found = mean([1.0, 2.0, 3.0])
        >>> found.mean, found.std, round(found.low, 3), round(found.high, 3)
        (2.0, 1.0, -0.484, 4.484)
    """
    count = len(values)
    middle = float(np.mean(values)) if count else math.nan
    if count < 2:
        return Mean(count, middle, math.nan, math.nan, math.nan)
    std = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * std / math.sqrt(count)
    return Mean(count, middle, std, middle - half, middle + half)


def difference(values: Sequence[float], others: Sequence[float], *, level: float = 0.95) -> Mean:
    """Average what pairs of numbers differ by, with a t-interval.

    What both of a pair have in common, such as seed and images, cancels out, so
    that fewer runs tell more.

    Args:
        values: Numbers.
        others: What is taken away from each.
        level: Share of such intervals that hold the true difference.
    """
    pairs = zip(values, others, strict=True)
    return mean([value - other for value, other in pairs], level=level)
