"""Intervals of means by Student's t."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steel_defect_detection.metrics import student

NUMBERS = st.floats(-1e3, 1e3).map(lambda number: round(number, 6))


def test_an_interval_is_what_a_table_of_t_gives():
    # t of 4 degrees of freedom is 2.776 in every table; std of 1..5 is sqrt(2.5).
    found = student.mean([1, 2, 3, 4, 5])
    assert found.count == 5
    assert found.mean == 3
    assert found.std == pytest.approx(math.sqrt(2.5))
    assert found.high - 3 == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)
    assert 3 - found.low == pytest.approx(found.high - 3)


@given(st.lists(NUMBERS, min_size=2, max_size=20).filter(lambda values: len(set(values)) > 1))
def test_scipy_gives_the_same_interval(values):
    found = student.mean(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20))
def test_scipy_gives_the_same_paired_interval(pairs):
    values, others = map(list, zip(*pairs, strict=True))
    found = student.difference(values, others)
    if found.std > 1e-6:
        expected = stats.ttest_rel(values, others).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-6, abs=1e-6)


def test_pairs_tell_what_spreads_hide():
    runs = np.array([0.2, 0.5, 0.9])
    found = student.difference((runs + 0.01).tolist(), runs.tolist())
    assert found.mean == pytest.approx(0.01)
    assert found.low == pytest.approx(found.high)


def test_a_single_number_has_no_interval():
    found = student.mean([0.7])
    assert (found.count, found.mean) == (1, 0.7)
    assert all(map(math.isnan, (found.std, found.low, found.high)))


def test_nothing_has_no_mean():
    assert math.isnan(student.mean([]).mean)


def test_pairs_are_complete():
    with pytest.raises(ValueError, match="zip"):
        student.difference([1.0], [1.0, 2.0])
