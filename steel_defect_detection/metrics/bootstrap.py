"""How far a measure can be trusted: intervals by drawing the images again.

Images of one group, such as photographs of one part under several lights or
frames of one weld, tell less than as many of different ones. Where groups are
known they are drawn whole, which makes the intervals as wide as they should be.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993; for
groups: Davison and Hinkley, "Bootstrap Methods and their Application", 1997,
section 3.8.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 2000
"""How many draws, unless asked for more or less."""


def interval(
    statistic: Callable[..., float],
    *values: NDArray[np.generic],
    rounds: int = ROUNDS,
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
    """

    def named(rows: NDArray[np.intp]) -> Mapping[str, float]:
        return {"": statistic(*(array[rows] for array in values))}

    found = intervals(named, range(len(values[0])), rounds=rounds, level=level, seed=seed)
    return found.get("", (float("nan"), float("nan")))


def intervals(
    statistic: Callable[[NDArray[np.intp]], Mapping[str, float]],
    groups: Sequence[Hashable],
    *,
    rounds: int = ROUNDS,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap intervals of several measures.

    Args:
        statistic: Gives the measures, by name, of the images with these
            numbers, some of which occur several times.
        groups: The group of each image, which are drawn whole; all different
            if each image stands for itself.
        rounds: How many draws.
        level: Share of draws between the two ends.
        seed: Number that the draws depend on.

    Returns:
        Lower and upper end by name; NaN if a measure is not defined on any
        draw. Empty without images.
    """
    drawn: dict[str, list[float]] = {}
    for rows in _draws(groups, rounds, seed):
        for name, value in statistic(rows).items():
            drawn.setdefault(name, []).append(value)
    sides = [(1 - level) / 2, (1 + level) / 2]
    return {name: _ends(values, sides) for name, values in drawn.items()}


def _draws(groups: Sequence[Hashable], rounds: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Draw as many groups as there are, again and again, and give the numbers of their images."""
    random = np.random.default_rng(seed)
    places: dict[Hashable, int] = {}
    of_image = np.array([places.setdefault(group, len(places)) for group in groups], dtype=np.intp)
    if not places:
        return
    members = np.argsort(of_image, kind="stable")
    sizes = np.bincount(of_image)
    starts = np.cumsum(sizes) - sizes
    for _ in range(rounds):
        chosen = random.integers(0, len(places), size=len(places))
        counts = sizes[chosen]
        before = np.cumsum(counts) - counts
        yield members[np.repeat(starts[chosen] - before, counts) + np.arange(counts.sum())]


def _ends(values: Sequence[float], sides: Sequence[float]) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, sides)
    return float(low), float(high)
