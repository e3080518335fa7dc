import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis.amounts import Amount


@pytest.mark.parametrize(
    ("synthetic", "ratio", "real"),
    # 12, 24, 36 and 48 of 48 per class: the prints system's first experiment.
    [(12, 0.25, 36), (24, 0.5, 24), (36, 0.75, 12), (48, 1.0, 0), (29, 0.29, 71), (7, 0.7, 3)],
)
def test_real_images_fill_up_to_the_ratio(synthetic, ratio, real):
    assert Amount(per_class=synthetic, ratio=ratio).real() == real


@given(st.integers(1, 500), st.floats(0.01, 1))
def test_the_share_of_synthetic_images_is_the_ratio_but_for_rounding(synthetic, ratio):
    real = Amount(per_class=synthetic, ratio=ratio).real()
    assert synthetic / (synthetic + real + 1) < ratio + 1e-6
    assert synthetic / (synthetic + real) >= ratio - 1e-6


def test_without_a_ratio_all_real_images_stay():
    assert Amount(per_class=5).real() is None
    assert Amount(ratio=0).real() is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"per_class": -1}, "must not be negative"),
        ({"per_class": 1, "ratio": 1.5}, "0 to 1, got 1.5"),
        ({"per_class": 0, "ratio": 0.5}, "contradict each other"),
        ({"per_class": 3, "ratio": 0}, "contradict each other"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(words, text):
    with pytest.raises(ConfigError, match=text):
        Amount(**words)
