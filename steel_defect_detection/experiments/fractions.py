"""A share of the training images, such that a smaller share is part of a larger one."""

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import leakage
from steel_defect_detection.datasets.dataset import Dataset


def nested(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """Take a share of the images, with about the same share of each combination of classes.

    Images that show the same thing stay together. The images are put in an order
    that depends on the seed alone, and the first of them are taken: what a
    smaller share holds, a larger one holds too. The first few show each class
    that occurs, so that none vanishes while there is room.

    Args:
        dataset: Training images with labels.
        fraction: The share, above 0 and up to 1; whole groups come as near to it
            as they can.
        seed: Decides which.

    Returns:
        At least one group, in the order of the data set.
    """
    if fraction == 1 or not len(dataset):
        return dataset
    groups = leakage.groups(dataset, "given")
    _, members = np.unique(groups, return_inverse=True)
    sizes = np.bincount(members)
    order = _order(_kinds(dataset, members), sizes, np.random.default_rng(seed))
    taken = np.cumsum(sizes[order])
    count = 1 + int(np.abs(taken - fraction * len(dataset)).argmin())
    return dataset.subset(np.flatnonzero(np.isin(members, order[:count])).tolist())


def _kinds(dataset: Dataset, members: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which classes the images of each group show; the last column: one is free of defects."""
    shown = np.column_stack([dataset.labels(), ~dataset.defective()])
    kinds = np.zeros((members.max() + 1, shown.shape[1]), dtype=np.bool_)
    np.logical_or.at(kinds, members, shown)
    return kinds


def _order(
    kinds: NDArray[np.bool_], sizes: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.intp]:
    """Order the groups so that the first ones hold about the same share of every kind."""
    _, strata = np.unique(kinds, axis=0, return_inverse=True)
    shuffled = random.permutation(len(kinds))
    places = np.empty(len(kinds))
    for stratum in range(strata.max() + 1):
        inside = shuffled[strata.ravel()[shuffled] == stratum]
        before = np.cumsum(sizes[inside]) - sizes[inside]
        # One start for the whole stratum: its groups follow each other at even distances.
        places[inside] = (before + random.random() * sizes[inside]) / sizes[inside].sum()
    order = shuffled[np.argsort(places[shuffled], kind="stable")]
    return _each_kind_first(order, kinds)


def _each_kind_first(order: NDArray[np.intp], kinds: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Bring one group of each kind to the front, those of rare kinds first."""
    front: list[int] = []
    for kind in np.argsort(kinds.sum(axis=0), kind="stable"):
        if kinds[:, kind].any() and not kinds[front, kind].any():
            front.append(int(order[kinds[order, kind]][0]))
    rest = order[~np.isin(order, front)]
    return np.concatenate([np.array(front, dtype=np.intp), rest])
