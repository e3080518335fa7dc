import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection import wording


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
    assert wording.visible(text) == shown


@given(st.text(alphabet=st.characters()))
def test_nothing_invisible_is_left(text):
    kinds = {unicodedata.category(sign) for sign in wording.visible(text)}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_one_is_not_several():
    said = [wording.amount(number, "image") for number in (0, 1, 2, 12_345)]
    assert said == ["0 images", "1 image", "2 images", "12,345 images"]
    assert wording.amount(2, "box", "boxes") == "2 boxes"
