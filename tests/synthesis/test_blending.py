import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.synthesis.blending import MARGIN, blend, membrane

SQUARE = (slice(24, 36), slice(24, 36))


def mask() -> np.ndarray:
    found = np.zeros((60, 60), np.bool_)
    found[SQUARE] = True
    return found


@given(st.integers(40, 220), st.integers(40, 220), st.integers(1, 3).filter(lambda n: n != 2))
@settings(max_examples=30, deadline=None)
def test_a_patch_without_contrast_leaves_no_trace(level, other, channels):
    """Its brightness comes from the sheet, as far as it may be changed at all."""
    sheet = np.full((60, 60, channels), level, np.uint8)
    patch = np.full((60, 60, channels), other, np.uint8)
    if 1 / 3.5 < (level + 16) / (other + 16) < 3.5:
        assert np.abs(blend(sheet, patch, mask()).astype(int) - level).max() <= 1


def test_a_defect_keeps_its_contrast_in_per_cent():
    sheet, patch = np.full((60, 60, 1), 200, np.uint8), np.full((60, 60, 1), 100, np.uint8)
    patch[SQUARE] = 50
    blended = blend(sheet, patch, mask())
    # Half as bright as what surrounds it, but for what keeps dark pixels from being all noise.
    assert blended[28:32, 28:32].mean() == pytest.approx(200 * 0.5, rel=0.12)


def test_a_slope_of_light_goes_on_through_the_patch():
    slope = np.linspace(60, 180, 60)
    sheet = np.repeat(slope[None, :, None], 60, axis=0).astype(np.uint8)
    patch = np.full((60, 60, 1), 120, np.uint8)
    blended = blend(sheet, patch, mask())
    assert np.abs(blended.astype(int) - sheet).max() <= 4


def test_nothing_changes_beyond_the_margin():
    random = np.random.default_rng(0)
    sheet = random.integers(0, 256, (60, 60, 3)).astype(np.uint8)
    blended = blend(sheet, random.integers(0, 256, (60, 60, 3)).astype(np.uint8), mask())
    near = np.zeros((60, 60), np.bool_)
    near[24 - MARGIN : 36 + MARGIN, 24 - MARGIN : 36 + MARGIN] = True
    assert np.array_equal(blended[~near], sheet[~near])


def test_a_patch_as_large_as_the_sheet_is_taken_over():
    patch = np.random.default_rng(0).integers(0, 256, (20, 20, 1)).astype(np.uint8)
    everywhere = np.ones((20, 20), np.bool_)
    assert np.array_equal(blend(np.zeros_like(patch), patch, everywhere), patch)


@pytest.mark.parametrize("size", [20, 120])
def test_the_membrane_between_two_heights_is_a_straight_slope(size):
    """Laplace's equation has one solution; between two parallel edges it is linear."""
    values, known = np.zeros((size, size)), np.zeros((size, size), np.bool_)
    cell = -(-size // 48)
    known[:, :cell] = known[:, -cell:] = True
    values[:, -cell:] = 1
    surface = membrane(values, known, np.ones((size, size), np.bool_))
    middle = surface[size // 2]
    assert middle[size // 2] == pytest.approx(0.5, abs=0.05)
    assert middle[size // 4] == pytest.approx(0.25, abs=0.05)
    assert np.ptp(surface[:, size // 2]) < 1e-5


def test_the_membrane_obeys_laplace_on_any_rim():
    """Inside a rim with the heights of x*x - y*y, a harmonic function, it is that function."""
    rows, columns = np.mgrid[0:40, 0:40]
    harmonic = ((columns - 20) ** 2 - (rows - 20) ** 2) / 400
    rim = np.zeros((40, 40), np.bool_)
    rim[:2] = rim[-2:] = rim[:, :2] = rim[:, -2:] = True
    surface = membrane(harmonic, rim, np.ones((40, 40), np.bool_))
    assert np.abs(surface - harmonic)[~rim].max() < 0.02
