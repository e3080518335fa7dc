"""What is measured of a sheet, on sheets whose grain is known because it was made so."""

import cv2
import numpy as np
import pytest

from steel_defect_detection.synthesis import grain

SHAPE = (160, 200)
EVERYWHERE = np.ones(SHAPE, np.bool_)


def white_noise(seed: int = 0, deviation: float = 10) -> np.ndarray:
    return (np.random.default_rng(seed).normal(120, deviation, SHAPE)).astype(np.float32)


def striped(degrees: float) -> np.ndarray:
    """Stripes 8 pixels wide along a direction, with a little noise upon them."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    aside = columns * np.sin(np.radians(degrees)) - rows * np.cos(np.radians(degrees))
    return (white_noise(1, 2) + 10 * np.sin(aside * np.pi / 4)).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.6, 0.9, 1.3])
def test_blur_is_that_of_the_gaussian_that_made_the_grain(sigma):
    blurred = cv2.GaussianBlur(white_noise(), (0, 0), sigma)
    assert grain.measure(blurred).blur == pytest.approx(sigma, rel=0.2)


def test_white_noise_is_as_sharp_as_can_be():
    assert grain.measure(white_noise()).blur == grain.SHARPEST


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_stripes_give_the_direction(degrees):
    found = grain.measure(striped(degrees))
    assert found.angle_degrees % 180 == pytest.approx(degrees, abs=3) or (
        degrees == 0 and found.angle_degrees > 177
    )
    assert found.order > 0.5


def test_white_noise_has_no_direction():
    assert grain.measure(white_noise()).order < 0.1


def test_direction_survives_shrinking_of_large_sheets():
    found = grain.measure(np.tile(striped(90), (1, 4)))
    assert found.angle_degrees == pytest.approx(90, abs=3)


@pytest.mark.parametrize("deviation", [3, 20])
def test_noise_is_the_standard_deviation_of_white_noise(deviation):
    sheet = white_noise(deviation=deviation)
    assert grain.measure(sheet).noise == pytest.approx(deviation, rel=0.05)
    assert grain.noise_strength(sheet, EVERYWHERE) == pytest.approx(deviation, rel=0.05)


def test_overexposed_parts_do_not_count_as_smooth():
    sheet = white_noise()
    sheet[:, :150] = 255
    assert grain.measure(sheet).noise == pytest.approx(10, rel=0.1)


def test_noise_does_not_hold_shading():
    slope = np.linspace(0, 150, SHAPE[1], dtype=np.float32)
    assert grain.noise_strength(white_noise() + slope - 75, EVERYWHERE) == pytest.approx(11, abs=1)


def test_pixels_left_out_change_nothing():
    sheet, counted = white_noise(), EVERYWHERE.copy()
    counted[40:100, 50:120] = False
    other = sheet.copy()
    other[~counted] = 255
    assert grain.noise_strength(other, counted) == grain.noise_strength(sheet, counted)
    assert np.array_equal(grain.light(other, counted), grain.light(sheet, counted))


def test_light_follows_shading_and_not_grain():
    slope = 60 + np.linspace(0, 100, SHAPE[1], dtype=np.float32) * np.ones(
        (SHAPE[0], 1), np.float32
    )
    found = grain.light(slope + white_noise() - 120, EVERYWHERE)
    # Mirrored at the borders, a slope is flatter there.
    assert np.abs(found - slope)[:, 20:-20].max() < 3


def test_where_nothing_counts_there_is_neither_light_nor_noise():
    assert grain.noise_strength(white_noise(), ~EVERYWHERE) == 0
    assert np.abs(grain.light(white_noise(), ~EVERYWHERE)).max() == 0


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_sheets_have_no_grain(level):
    found = grain.measure(np.full(SHAPE, level, np.float32))
    assert (found.noise, found.order) == (0, 0)
    assert grain.SHARPEST < found.blur < grain.BLURREST
