"""Dealing images out into parts of given shares, or into folds.

Images are dealt out by class combination, so that each part holds about the
same share of every combination ("clean", "class 3", "classes 3 and 4", ...).
Where images form groups that show the same thing, whole groups are dealt out,
and each part holds about the same share of every class. The same seed gives the
same parts.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError


def by_image(labels: NDArray[np.bool_], *, share: float, seed: int) -> NDArray[np.bool_]:
    """Choose validation images, stratified by class combination.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        share: Part of the images to choose, above 0 and below 1.
        seed: Number that the choice depends on, 0 or more.

    Returns:
        True for each validation image, bool, shape ``(images,)``. At least
        one image is chosen and at least one is left.

    Raises:
        ConfigError: If the share is out of range or there are fewer than two
            images.
    """
    count = len(labels)
    if not 0 < share < 1:
        msg = f"validation share must lie between 0 and 1, got {share}"
        raise ConfigError(msg)
    if count < 2:
        msg = f"a split needs at least 2 images, got {count}"
        raise ConfigError(msg)
    chosen_count = min(max(round(share * count), 1), count - 1)
    # Systematic sampling along the strata: every 1/share-th image is taken.
    marks = (np.arange(chosen_count) + np.random.default_rng(seed).random()) * count / chosen_count
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[_by_combination(labels, seed)[marks.astype(int)]] = True
    return chosen


def folds(
    labels: NDArray[np.bool_], *, fold_count: int, seed: int, groups: Sequence[int] | None = None
) -> NDArray[np.int64]:
    """Deal images into folds, stratified by class combination, or with groups by class.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        fold_count: How many folds, 2 to the number of images.
        seed: Number that the deal depends on, 0 or more.
        groups: Number of each image's group; groups stay whole.

    Returns:
        Number of each image's fold, from 0, shape ``(images,)``.

    Raises:
        ConfigError: If there are fewer than two folds, or more than images or
            groups; or if the groups are not one per image.
    """
    _check(labels, groups, seed)
    count = len(labels) if groups is None else len(set(groups))
    what = "images" if groups is None else "groups"
    if not 2 <= fold_count <= count:
        msg = f"fold count must lie between 2 and {count} {what}, got {fold_count}"
        raise ConfigError(msg)
    if groups is not None:
        return _deal(labels, np.full(fold_count, 1 / fold_count), seed, groups)
    numbers = np.empty(len(labels), dtype=np.int64)
    numbers[_by_combination(labels, seed)] = np.arange(len(labels)) % fold_count
    return numbers


def assign(
    labels: NDArray[np.bool_],
    *,
    shares: Mapping[str, float],
    seed: int,
    groups: Sequence[int] | None = None,
) -> list[str]:
    """Deal images into parts of given shares, stratified by class.

    Args:
        labels: Which classes occur in which image, bool, shape
            ``(images, classes)``.
        shares: Share of each part by its name; together 1.
        seed: Number that the deal depends on, 0 or more.
        groups: Number of each image's group; groups stay whole, so the shares
            are met as closely as their sizes allow.

    Returns:
        Name of each image's part; no part is empty.

    Raises:
        ConfigError: If shares are not positive or do not add up to 1, or there
            are fewer images or groups than parts; or if the groups are not one
            per image.
    """
    _check(labels, groups, seed)
    values = np.array(list(shares.values()), dtype=np.float64)
    # Written so that shares that are no number (nan) are refused too.
    if not (len(values) and (values > 0).all() and abs(values.sum() - 1) <= 1e-6):
        msg = f"shares must be positive and add up to 1, got {dict(shares)}"
        raise ConfigError(msg)
    members = range(len(labels)) if groups is None else groups
    if len(set(members)) < len(values):
        what = "images" if groups is None else "groups"
        msg = f"{len(values)} parts need as many {what}, got {len(set(members))}"
        raise ConfigError(msg)
    names = list(shares)
    return [names[number] for number in _deal(labels, values, seed, members)]


def _check(labels: NDArray[np.bool_], groups: Sequence[int] | None, seed: int) -> None:
    if groups is not None and len(groups) != len(labels):
        msg = f"expected a group for each of {len(labels)} images, got {len(groups)}"
        raise ConfigError(msg)
    if seed < 0:
        msg = f"seed must be 0 or more, got {seed}"
        raise ConfigError(msg)


def _deal(
    labels: NDArray[np.bool_], shares: NDArray[np.float64], seed: int, groups: Iterable[int]
) -> NDArray[np.int64]:
    """Deal whole groups, the largest first, each to the part that misses it most.

    What a part misses is counted over images, clean images and images of each
    class, each in shares of its total, so that rare classes weigh as much as
    common ones; the images weigh as much as all classes together, or a class of
    few, large groups would draw whole parts out of their size. No part stays
    empty: the smallest groups are kept for that.
    """
    _, members = np.unique(np.fromiter(groups, dtype=np.int64), return_inverse=True)
    clean = ~labels.any(axis=1, keepdims=True)
    counted = np.hstack([np.ones_like(clean), clean, labels]).astype(np.float64)
    totals = counted.sum(axis=0)
    counted /= np.maximum(totals, 1)
    weights = np.ones_like(totals)
    weights[0] = max(labels.shape[1], 1)
    sums = np.zeros((members.max() + 1, counted.shape[1]))
    np.add.at(sums, members, counted)
    shuffle = np.random.default_rng(seed).permutation(len(sums))
    order = shuffle[np.argsort(-sums[shuffle].sum(axis=1), kind="stable")]
    missing = np.outer(shares, totals > 0)
    parts = np.empty(len(sums), dtype=np.int64)
    empty = np.ones(len(shares), dtype=np.bool_)
    for place, group in enumerate(order):
        # What the squares of all that is missing fall by when this part gets the group; the
        # squares are in units of the part's own share.
        gain = (sums[group] * (2 * missing - sums[group]) / shares[:, None]) @ weights
        if len(order) - place <= np.count_nonzero(empty):
            gain[~empty] = -np.inf
        parts[group] = gain.argmax()
        missing[parts[group]] -= sums[group]
        empty[parts[group]] = False
    return parts[members]


def _by_combination(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Order the images by class combination, at random within each."""
    shuffle = np.random.default_rng(seed).permutation(len(labels))
    _, combination = np.unique(labels[shuffle], axis=0, return_inverse=True)
    return shuffle[np.argsort(combination.reshape(-1), kind="stable")]
