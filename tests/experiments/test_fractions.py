"""A share of the training images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.experiments.fractions import nested
from tests.experiments.small_studies import entries

LABELS = [(True, False), (False, True), (True, True), (False, False)]
IMAGES = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([None, "a", "b", "c", "d", "e"])),
    min_size=1,
    max_size=60,
)
SHARES = st.floats(0.01, 1)


def drawn(images):
    labels, groups = zip(*images, strict=True)
    return entries(list(labels), list(groups))


@given(IMAGES, SHARES, SHARES, st.integers(0, 9))
def test_a_smaller_share_is_part_of_a_larger_one(images, one, other, seed):
    dataset = drawn(images)
    small, large = (nested(dataset, share, seed).names for share in sorted((one, other)))
    assert set(small) <= set(large)


@given(IMAGES, SHARES, st.integers(0, 9))
def test_no_family_is_split_and_the_order_is_kept(images, share, seed):
    dataset = drawn(images)
    names = nested(dataset, share, seed).names
    assert list(names) == sorted(names)
    families = {}
    for entry in dataset.entries:
        if entry.group:
            families.setdefault(entry.group, set()).add(entry.name)
    for family in families.values():
        assert family <= set(names) or family.isdisjoint(names)


@given(IMAGES, SHARES)
def test_something_is_left_and_all_is_all(images, share):
    dataset = drawn(images)
    assert len(nested(dataset, share, 0)) >= 1
    assert nested(dataset, 1, 0) == dataset


@given(st.integers(0, 50), st.sampled_from([0.1, 0.25, 0.5, 0.75]))
def test_classes_keep_their_shares(seed, share):
    labels = (
        [(True, False, False)] * 200 + [(False, True, False)] * 80 + [(False, False, True)] * 40
    )
    found = nested(entries(labels), share, seed)
    assert len(found) == round(share * 320)
    expected = share * np.array([200, 80, 40])
    assert np.abs(found.labels().sum(axis=0) - expected).max() <= 2


@given(st.integers(0, 50))
def test_the_first_few_images_show_every_class(seed):
    labels = [(True, False, False)] * 90 + [(False, True, False)] * 9 + [(False, False, True)]
    found = nested(entries(labels), 0.03, seed)
    assert found.labels().sum(axis=0).tolist() == [1, 1, 1]


def test_another_seed_takes_other_images():
    dataset = entries([(True, False)] * 40)
    assert nested(dataset, 0.5, 0).names != nested(dataset, 0.5, 1).names
    assert nested(dataset, 0.5, 0).names == nested(dataset, 0.5, 0).names


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_families_of_all_sizes_come_near_the_share(share):
    sizes = [1, 2, 3, 4, 5] * 20
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    found = nested(entries([(True, False)] * len(groups), groups), share, 3)
    assert abs(len(found) - share * len(groups)) <= 2.5
