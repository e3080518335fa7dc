"""How many clusters? As many as part best, by the mean silhouette.

The silhouette of a point compares its mean distance a to its own cluster with
that to the nearest other one, b: (b - a) / max(a, b), from -1 to 1 (Rousseeuw,
1987, https://doi.org/10.1016/0377-0427(87)90125-7). It compares all pairs, so it
is taken over a sample, the same one for each number of clusters. The
Calinski-Harabasz score, spread between clusters by spread within, is reported
beside it over all points, and chooses nothing.

A silhouette near 0 says that the clusters lie in each other: there is a best
number then, too, but it means little.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import calinski_harabasz_score, silhouette_score

from steel_defect_detection.clustering.methods import NOISE, Grouping
from steel_defect_detection.errors import ConfigError

MOST_SAMPLED = 2_000
"""Points over which silhouettes are taken."""


class Tried(NamedTuple):
    """What a number of clusters is worth.

    Args:
        clusters: How many there are.
        silhouette: Mean silhouette over the sample, without noise; None where
            the sample has no two clusters.
        calinski_harabasz: Over all points, without noise; None likewise.
    """

    clusters: int
    silhouette: float | None
    calinski_harabasz: float | None


def counts(points: NDArray[np.float32], most: int) -> range:
    """Numbers of clusters that are worth trying, from 2 on.

    Args:
        points: float32, shape ``(points, numbers)``.
        most: The largest one.

    Raises:
        ConfigError: If there are too few different points to choose.
    """
    different = len(np.unique(points, axis=0))
    if most < 2:
        msg = f"expected 2 or more clusters at most, got {most}. Name their number with --clusters"
        raise ConfigError(msg)
    if different < 3:
        msg = (
            f"{different} different crops are too few to choose a number of clusters. "
            "Name it with --clusters, or take more crops"
        )
        raise ConfigError(msg)
    return range(2, min(most, different - 1) + 1)


def judge(
    points: NDArray[np.float32], groupings: Sequence[Grouping], *, seed: int = 0
) -> list[Tried]:
    """Measure how well clusters part.

    Args:
        points: float32, shape ``(points, numbers)``.
        groupings: Ways to group them.
        seed: What the sample depends on.
    """
    sample = np.arange(len(points))
    if len(points) > MOST_SAMPLED:
        chosen = np.random.default_rng(seed).choice(len(points), MOST_SAMPLED, replace=False)
        sample = np.sort(chosen)
    return [_judged(points, grouping, sample) for grouping in groupings]


def best(tried: Sequence[Tried]) -> int:
    """Place of the highest silhouette; of equal ones, of the fewest clusters.

    Args:
        tried: At least one, from few clusters to many.

    Example:
        >>> best([Tried(2, 0.1, None), Tried(3, 0.4, None), Tried(4, None, None)])
        1
    """
    values = [-1.0 if one.silhouette is None else one.silhouette for one in tried]
    return int(np.argmax(values))


def _judged(points: NDArray[np.float32], grouping: Grouping, sample: NDArray[np.integer]) -> Tried:
    labels, belongs = grouping.labels, grouping.labels != NOISE
    few = sample[belongs[sample]]
    silhouette = calinski_harabasz = None
    if 2 <= len(np.unique(labels[few])) < len(few):
        silhouette = float(silhouette_score(points[few], labels[few]))
    if 2 <= len(grouping.centres) < belongs.sum():
        calinski_harabasz = float(calinski_harabasz_score(points[belongs], labels[belongs]))
    return Tried(len(grouping.centres), silhouette, calinski_harabasz)
