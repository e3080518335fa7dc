"""Four ways to group points, behind one function.

k-means and its mini-batch form (scikit-learn) look for centres; agglomerative
clustering by Ward's criterion (SciPy) joins the two nearest groups until few are
left; HDBSCAN (scikit-learn; Campello et al., PAKDD 2013,
https://doi.org/10.1007/978-3-642-37456-2_14) looks for dense regions, finds
their number itself and leaves out what lies between them as noise.

Numbers of clusters mean nothing to these, and change from run to run. Here they
are put in order: the largest cluster is 0, and among equals the one with the
first crop comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.cluster import hierarchy
from sklearn.cluster import HDBSCAN, KMeans, MiniBatchKMeans

from steel_defect_detection.errors import ConfigError

Method = Literal["kmeans", "minibatch", "agglomerative", "hdbscan"]

NOISE = -1
"""Label of a point that belongs to no cluster."""

MOST_PAIRWISE = 10_000
"""Points whose distances to each other still fit into memory: 0.4 GB."""

_BEGINNINGS = 10
_BATCH = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """Points in groups.

    Args:
        labels: Cluster of each point, int32, shape ``(points,)``; ``NOISE``
            where it belongs to none.
        centres: Centre of each cluster, float32, shape ``(clusters, numbers)``.
    """

    labels: NDArray[np.int32]
    centres: NDArray[np.float32]


def group(
    points: NDArray[np.float32],
    method: Method,
    counts: Sequence[int],
    *,
    seed: int = 0,
    least_members: int = 5,
) -> list[Grouping]:
    """Group points, once for each number of clusters.

    Args:
        points: float32, shape ``(points, numbers)``.
        method: ``kmeans``, ``minibatch``, ``agglomerative`` or ``hdbscan``.
        counts: Numbers of clusters; of no meaning for ``hdbscan``.
        seed: What the beginnings of k-means depend on.
        least_members: Fewest points of a cluster of ``hdbscan``.

    Returns:
        One per number of clusters, or the one that ``hdbscan`` finds.

    Raises:
        ConfigError: If there are too few points for so many clusters, too many
            for the method, or no dense region.
    """
    check(len(points), method)
    if method == "hdbscan":
        return [_by_density(points, least_members)]
    _check_counts(points, counts)
    if method == "agglomerative":
        tree = hierarchy.linkage(points.astype(np.float64), method="ward")
        cuts = hierarchy.cut_tree(tree, n_clusters=list(counts))
        return [_ordered(points, cut) for cut in cuts.T]
    return [_by_centres(points, method, count, seed) for count in counts]


def check(count: int, method: Method) -> None:
    """Refuse a method that does not exist, or needs too much memory.

    Args:
        count: Number of points.
        method: The method.

    Raises:
        ConfigError: If it cannot be used.
    """
    if method not in get_args(Method):
        msg = f"there is no method {method!r}; there are {', '.join(get_args(Method))}"
        raise ConfigError(msg)
    if method == "agglomerative" and count > MOST_PAIRWISE:
        msg = (
            f"agglomerative clustering compares all pairs of crops, which fits into memory up to "
            f"{MOST_PAIRWISE:,} crops, got {count:,}. Use --method kmeans, minibatch or hdbscan"
        )
        raise ConfigError(msg)


def _check_counts(points: NDArray[np.float32], counts: Sequence[int]) -> None:
    different = len(np.unique(points, axis=0))
    if min(counts) < 1 or max(counts) > different:
        wrong = min(counts) if min(counts) < 1 else max(counts)
        msg = (
            f"expected 1 to {different} clusters, as many as there are crops that differ, "
            f"got {wrong}"
        )
        raise ConfigError(msg)


def _by_centres(points: NDArray[np.float32], method: Method, count: int, seed: int) -> Grouping:
    if method == "kmeans":
        found = KMeans(count, n_init=_BEGINNINGS, random_state=seed).fit(points)
    else:
        found = MiniBatchKMeans(
            count, n_init=_BEGINNINGS, batch_size=_BATCH, random_state=seed
        ).fit(points)
    return _ordered(points, found.labels_)


def _by_density(points: NDArray[np.float32], least_members: int) -> Grouping:
    if not 2 <= least_members <= len(points):
        msg = f"expected clusters of at least 2 to {len(points)} crops, got {least_members}"
        raise ConfigError(msg)
    labels = HDBSCAN(min_cluster_size=least_members, copy=True).fit(points).labels_
    if labels.max() < 0:
        msg = (
            f"hdbscan found no dense region among {len(points)} crops: all are noise. Take a "
            "smaller --least-members, add --pca 20, or use --method kmeans"
        )
        raise ConfigError(msg)
    return _ordered(points, labels)


def _ordered(points: NDArray[np.float32], labels: NDArray[np.integer]) -> Grouping:
    """Number clusters by size, the largest first, then by their first point."""
    found, first, sizes = np.unique(labels[labels != NOISE], return_index=True, return_counts=True)
    # Places among the points that are no noise come in the same order as among all.
    order = found[np.lexsort((first, -sizes))]
    new = np.full(len(labels), NOISE, dtype=np.int32)
    for number, old in enumerate(order):
        new[labels == old] = number
    centres = [points[new == number].mean(axis=0) for number in range(len(order))]
    return Grouping(labels=new, centres=np.asarray(centres, dtype=np.float32))
