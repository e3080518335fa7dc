"""Fractions and means that know when there is nothing to divide by."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ratio(
    numerator: ArrayLike, denominator: ArrayLike, *, empty: float = np.nan
) -> NDArray[np.float64]:
    """Divide counts.

    Args:
        numerator: Counts of any shape.
        denominator: Counts of the same shape.
        empty: What 0 / 0 is; NaN, "unknown", by default.

    Returns:
        The fractions, same shape.
    """
    counts = np.asarray(denominator, dtype=np.float64)
    return np.where(counts == 0, empty, np.asarray(numerator) / np.where(counts == 0, 1, counts))


def mean(values: ArrayLike) -> float:
    """Average what is known.

    Args:
        values: Numbers of any shape; NaN stands for unknown and is left out.

    Returns:
        Their mean, NaN if none is known.
    """
    array = np.asarray(values, dtype=np.float64)
    known = array[~np.isnan(array)]
    return float(known.mean()) if known.size else float("nan")
