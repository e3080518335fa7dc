import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.report import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("strip-1.png", "strip-1.png", id="plain"),
        pytest.param("Bänder 鋼.png", "Bänder 鋼.png", id="letters of other languages"),
        pytest.param("a\nb\tc", r"a\nb\tc", id="line break and tab"),
        pytest.param("gnp.\u202eexe", r"gnp.\u202eexe", id="written backwards"),
        pytest.param("strip-\udcff.png", r"strip-\udcff.png", id="a byte that is no text"),
        pytest.param("a\xa0b", r"a\xa0b", id="a space that is none"),
    ],
)
def test_every_letter_can_be_seen(text, shown):
    assert words.visible(text) == shown


@given(st.text(alphabet=st.characters()))
def test_nothing_invisible_is_left(text):
    kinds = {unicodedata.category(sign) for sign in words.visible(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


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
    assert words.amount(2, "box", "boxes") == "2 boxes"
    assert (words.joined(["a", "b"]), words.joined([])) == ("a, b", "–")
