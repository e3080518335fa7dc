"""Fractions and means that know when there is nothing to divide by."""

import math
from collections.abc import Mapping
from typing import Any

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


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is unknown, as JSON cannot hold it.

    Args:
        values: Measures by name; they may hold further ones by name, and lists.

    Returns:
        The same without the names whose value is NaN or infinite; inside a
        list, where a place cannot be left out, such a value is None.

    Example:
        >>> known({"f1": math.nan, "rows": [[1.0, math.nan]], "pit": {"f1": 0.5}})
        {'rows': [[1.0, None]], 'pit': {'f1': 0.5}}
    """
    return {name: _known(value) for name, value in values.items() if not _is_unknown(value)}


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return known(value)
    if isinstance(value, list):
        return [None if _is_unknown(part) else _known(part) for part in value]
    return value


def _is_unknown(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
