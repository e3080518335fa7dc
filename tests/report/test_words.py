import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.report import words


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "–"),
        (True, "yes"),
        (12_345, "12,345"),
        (0.123456, "0.1235"),
        ([0.5, 1], "0.5, 1"),
        ({"a": 0.5}, "a 0.5"),
        ([], "–"),
        ("two\nlines", "two lines"),
    ],
)
def test_numbers_are_short(value, shown):
    assert words.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (1.0, "100 %"),
        (0.015, "1.5 %"),
        (0.5, "50 %"),
        (0.00004, "0.004 %"),
        (-0.5, "-50 %"),
        (math.nan, "–"),
    ],
)
def test_shares_are_percent(share, shown):
    assert words.percent(share) == shown


@given(st.floats(min_value=1e-12, max_value=1))
def test_a_share_that_is_there_is_never_shown_as_none(share):
    shown = float(words.percent(share).removesuffix(" %"))
    assert shown > 0
    assert shown == pytest.approx(100 * share, rel=0.06, abs=0.0051)


def test_counts_have_commas_and_the_unknown_a_dash():
    assert (words.count(2_000), words.count(math.nan)) == ("2,000", "–")
    assert (words.joined(["a", "b"]), words.joined([])) == ("a, b", "–")
