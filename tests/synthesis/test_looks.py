"""What is measured of outlined defects, on images made by hand."""

import re

import cv2
import numpy as np
import pytest

from steel_defect_detection.errors import ConfigError, ImageError, MaskError
from steel_defect_detection.synthesis.looks import Look, look_at

WORKING = {
    "areas": (40.0, 50.0),
    "elongations": (1.0, 2.0),
    "angles": (0.0, 90.0),
    "contrasts": (-0.3, 0.2),
    "counts": (2,),
}


def grainy(mask: np.ndarray, difference: float, deviation: float = 5, channels: int = 1):
    """An image with noise of a known strength, on which a mask is so much brighter."""
    noise = np.random.default_rng(0).normal(120, deviation, mask.shape) + difference * mask
    return np.repeat(np.rint(noise).astype(np.uint8)[:, :, None], channels, axis=2), mask


def rectangle(rows: slice, columns: slice, shape=(120, 160)) -> np.ndarray:
    mask = np.zeros(shape, np.bool_)
    mask[rows, columns] = True
    return mask


def turned_rectangle(degrees: float) -> np.ndarray:
    canvas = np.zeros((200, 200), np.uint8)
    corners = cv2.boxPoints(((100, 100), (80, 10), degrees)).astype(np.int32)
    return cv2.fillPoly(canvas, [corners], 1).astype(np.bool_)


@pytest.mark.parametrize(
    ("rows", "columns", "angle", "elongation"),
    [
        pytest.param(slice(50, 55), slice(20, 120), 0, 20, id="lying"),
        pytest.param(slice(20, 80), slice(70, 74), 90, 15, id="upright"),
        pytest.param(slice(60, 61), slice(40, 70), 0, 30, id="one pixel wide"),
    ],
)
def test_a_rectangle_has_its_area_direction_and_ratio_of_sides(rows, columns, angle, elongation):
    mask = rectangle(rows, columns)
    look = look_at([grainy(mask, -30)])
    assert look.areas == (mask.sum(),)
    assert look.angles == (angle,)
    assert look.elongations[0] == pytest.approx(elongation, rel=0.001)
    assert look.counts == (1,)


@pytest.mark.parametrize("degrees", [20, 45, 110, 170])
def test_a_turned_rectangle_has_its_direction(degrees):
    look = look_at([grainy(turned_rectangle(degrees), 40)])
    assert look.angles[0] == pytest.approx(degrees, abs=1)
    assert look.elongations[0] == pytest.approx(8, rel=0.15)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("difference", "deviation"), [(-40, 5), (40, 5), (-40, 10), (60, 4)])
def test_contrast_is_a_share_of_the_brightness_around(difference, deviation, channels):
    mask = rectangle(slice(40, 70), slice(50, 90))
    look = look_at([grainy(mask, difference, deviation, channels)])
    assert look.contrasts[0] == pytest.approx(difference / 120, rel=0.1)


def test_on_black_metal_contrast_is_a_share_of_ten_grey_levels():
    mask = rectangle(slice(40, 70), slice(50, 90))
    image = np.where(mask, 12, 4).astype(np.uint8)[:, :, None]
    assert look_at([(image, mask)]).contrasts == (0.8,)


def test_a_neighbour_does_not_count_as_surroundings():
    alone, beside = (
        rectangle(slice(40, 60), slice(50, 60)),
        rectangle(slice(40, 60), slice(64, 100)),
    )
    image, _ = grainy(alone | beside, -60)
    look = look_at([(image, alone | beside)])
    assert look.contrasts == pytest.approx((-0.5, -0.5), rel=0.1)


def test_where_all_is_defect_there_is_no_contrast():
    look = look_at([grainy(np.ones((40, 40), np.bool_), 50)])
    assert look.contrasts == (0,)


def test_components_are_counted_image_by_image():
    two = rectangle(slice(10, 20), slice(10, 20)) | rectangle(slice(60, 70), slice(60, 90))
    one = rectangle(slice(10, 20), slice(10, 40))
    speck = rectangle(slice(100, 103), slice(100, 103))
    nothing = np.zeros((120, 160), np.bool_)
    look = look_at(grainy(mask, 30) for mask in (two, nothing, one | speck, speck))
    assert look.counts == (2, 1)
    assert look.areas == (100, 300, 300)


def test_the_share_of_dark_ones_is_counted():
    assert Look(**WORKING).dark_share == 0.5


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        pytest.param(
            [],
            ConfigError,
            "no mask has a component of 10 pixels or more. Pass images with outlined defects",
            id="none",
        ),
        pytest.param(
            [(np.zeros((9, 9, 2), np.uint8), np.zeros((9, 9), np.bool_))],
            ImageError,
            "sample 1: expected a uint8 image (height, width, 1 or 3 channels), "
            "got uint8 of shape (9, 9, 2)",
            id="no image",
        ),
        pytest.param(
            [(np.zeros((9, 9, 1), np.uint8), np.zeros((9, 8), np.bool_))],
            MaskError,
            "sample 1: expected a bool mask of shape (9, 9) like its image, "
            "got bool of shape (9, 8)",
            id="other size",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(samples, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        look_at(samples)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"angles": (0.0,)},
            "a look needs as many areas as elongations, angles and contrasts, and a count, "
            "got 2, 2, 1, 2 and 1 counts",
            id="lengths",
        ),
        pytest.param(
            {"counts": ()},
            "a look needs as many areas as elongations, angles and contrasts, and a count, "
            "got 2, 2, 2, 2 and 0 counts",
            id="no count",
        ),
        pytest.param(
            {"elongations": (0.5, 2.0)},
            "areas and counts must be positive and elongations at least 1, got 40, 2 and 0.5",
            id="elongation",
        ),
    ],
)
def test_impossible_looks_are_refused(changes, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Look(**(WORKING | changes))
