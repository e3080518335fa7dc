from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.datasets import dealing
from steel_defect_detection.errors import ConfigError


def labels(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 4)) < 0.2


@given(st.integers(2, 200), st.floats(0.05, 0.95), st.integers(0, 50))
def test_the_share_is_kept_to_the_nearest_image(count, share, seed):
    chosen = dealing.by_image(labels(seed, count), share=share, seed=seed)
    assert chosen.sum() == min(max(round(share * count), 1), count - 1)


@given(st.integers(20, 200), st.integers(0, 50))
def test_each_combination_is_parted_in_the_same_share(count, seed):
    known = labels(seed, count)
    chosen = dealing.by_image(known, share=0.25, seed=seed)
    totals = Counter(map(tuple, known.tolist()))
    taken = Counter(map(tuple, known[chosen].tolist()))
    for combination, total in totals.items():
        assert abs(taken[combination] - total / 4) <= 1.5


@given(st.integers(10, 100), st.integers(2, 8), st.integers(0, 50))
def test_folds_differ_by_at_most_one_image_per_combination(count, fold_count, seed):
    known = labels(seed, count)
    numbers = dealing.folds(known, fold_count=fold_count, seed=seed)
    for combination in np.unique(known, axis=0):
        here = numbers[(known == combination).all(axis=1)]
        sizes = np.bincount(here, minlength=fold_count)
        assert sizes.max() - sizes.min() <= 1


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    known = labels(0, 60)
    first, again, other = (dealing.by_image(known, share=0.2, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("share", [0, 1, -0.1, 2])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ConfigError, match="validation share must lie between 0 and 1"):
        dealing.by_image(labels(0, 10), share=share, seed=0)


def test_one_image_cannot_be_split():
    with pytest.raises(ConfigError, match="a split needs at least 2 images, got 1"):
        dealing.by_image(labels(0, 1), share=0.5, seed=0)


@pytest.mark.parametrize("fold_count", [1, 11])
def test_impossible_fold_counts_are_refused(fold_count):
    with pytest.raises(ConfigError, match=f"between 2 and 10 images, got {fold_count}"):
        dealing.folds(labels(0, 10), fold_count=fold_count, seed=0)


groupings = st.integers(0, 50).map(
    lambda seed: np.random.default_rng(seed).integers(0, 25, size=80).tolist()
)


@given(groupings, st.integers(0, 20))
def test_groups_stay_whole(groups, seed):
    parts = dealing.assign(
        labels(seed, 80), shares={"train": 0.7, "test": 0.3}, seed=seed, groups=groups
    )
    places = {}
    for group, part in zip(groups, parts, strict=True):
        assert places.setdefault(group, part) == part
    assert set(parts) == {"train", "test"}


@given(groupings, st.integers(2, 6))
def test_folds_of_groups_are_of_like_size(groups, fold_count):
    numbers = dealing.folds(labels(0, 80), fold_count=fold_count, seed=0, groups=groups)
    places = {}
    for group, number in zip(groups, numbers.tolist(), strict=True):
        assert places.setdefault(group, number) == number
    largest = Counter(groups).most_common(1)[0][1]
    assert np.ptp(np.bincount(numbers, minlength=fold_count)) <= 2 * largest


def test_groups_are_spread_as_evenly_as_scikit_learn_does():
    from sklearn.model_selection import StratifiedGroupKFold

    random = np.random.default_rng(0)
    classes = random.choice(4, size=600, p=(0.5, 0.3, 0.15, 0.05))
    groups = random.integers(0, 150, size=600)
    known = np.eye(4, dtype=bool)[classes]
    numbers = dealing.folds(known, fold_count=5, seed=0, groups=groups.tolist())
    theirs = np.empty(600, dtype=int)
    reference = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=0)
    for fold, (_, chosen) in enumerate(reference.split(classes, classes, groups)):
        theirs[chosen] = fold

    def unevenness(dealt):
        counts = np.array([np.bincount(classes[dealt == fold], minlength=4) for fold in range(5)])
        return (counts.std(axis=0) / counts.mean(axis=0)).mean()

    assert unevenness(numbers) <= unevenness(theirs)


@given(st.integers(3, 60), st.integers(0, 300))
def test_no_part_stays_empty(count, seed):
    random = np.random.default_rng(seed)
    groups = [*range(3), *random.integers(0, random.integers(3, 20), size=count - 3).tolist()]
    shares = {"train": 0.9, "validation": 0.05, "test": 0.05}
    for given_groups in (None, groups):
        parts = dealing.assign(labels(seed, count), shares=shares, seed=seed, groups=given_groups)
        assert set(parts) == set(shares)


@given(st.integers(200, 400), st.integers(0, 50))
def test_shares_are_met_to_within_the_largest_group(count, seed):
    groups = np.random.default_rng(seed).integers(0, 80, size=count).tolist()
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    found = Counter(dealing.assign(labels(seed, count), shares=shares, seed=seed, groups=groups))
    largest = Counter(groups).most_common(1)[0][1]
    for part, share in shares.items():
        assert abs(found[part] - share * count) <= largest


def test_classes_of_two_large_groups_do_not_draw_the_shares_away():
    # As in a set of weld seams: three classes come from two runs of ten frames each.
    sizes = [(0, [1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]), (1, [10, 10]), (2, [3, 7, 10])]
    sizes += [(3, [1, 1, 2, 3, 3, 5, 5]), (4, [10, 10]), (5, [10, 10])]
    runs = [(kind, size) for kind, counts in sizes for size in counts]
    groups = np.repeat(np.arange(len(runs)), [size for _, size in runs]).tolist()
    known = np.eye(6, dtype=bool)[[runs[group][0] for group in groups]]
    shares = {"train": 0.7, "validation": 0.15, "test": 0.15}
    for seed in range(5):
        parts = Counter(dealing.assign(known, shares=shares, seed=seed, groups=groups))
        assert all(abs(parts[part] - 120 * share) <= 10 for part, share in shares.items())


def test_groups_must_be_one_per_image():
    with pytest.raises(ConfigError, match="expected a group for each of 10 images, got 3"):
        dealing.assign(labels(0, 10), shares={"a": 1.0}, seed=0, groups=[0, 1, 2])
    with pytest.raises(ConfigError, match="expected a group for each of 10 images, got 3"):
        dealing.folds(labels(0, 10), fold_count=2, seed=0, groups=[0, 1, 2])


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigError, match="seed must be 0 or more, got -1"):
        dealing.assign(labels(0, 10), shares={"a": 1.0}, seed=-1)


NAN = float("nan")


@pytest.mark.parametrize(
    "shares", [{}, {"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}, {"a": NAN, "b": 0.5}]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ConfigError, match="shares must be positive and add up to 1"):
        dealing.assign(labels(0, 10), shares=shares, seed=0)


def test_more_parts_than_groups_are_refused():
    shares = {"a": 0.4, "b": 0.3, "c": 0.3}
    with pytest.raises(ConfigError, match="3 parts need as many groups, got 2"):
        dealing.assign(labels(0, 4), shares=shares, seed=0, groups=[0, 0, 1, 1])
