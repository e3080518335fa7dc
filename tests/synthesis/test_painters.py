"""Laws of painting: exact masks, matched light and grain, and difficulty that is worth its name."""

import json
import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError, ImageError, MaskError
from steel_defect_detection.synthesis import backgrounds
from steel_defect_detection.synthesis.looks import Look, look_at
from steel_defect_detection.synthesis.painters import (
    KINDS,
    SMALLEST_AREA,
    VISIBLE_CHANGE,
    Painted,
    paint,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(
    shape: tuple[int, int] = (96, 96), level: float = 110, deviation: float = 6, channels: int = 1
) -> np.ndarray:
    """A sheet of slightly blurred noise, as a camera makes it."""
    noise = cv2.GaussianBlur(generator(99).normal(0, 1, shape), (0, 0), 0.6)
    grey = np.clip(np.rint(level + deviation * noise / noise.std()), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], channels, axis=2)


def constant(level: int, channels: int = 1) -> np.ndarray:
    return np.full((48, 64, channels), level, np.uint8)


def coloured() -> np.ndarray:
    return np.stack([noisy()[:, :, 0], noisy()[:, :, 0] // 2, noisy()[:, :, 0] // 3], axis=2)


def drawn(shape: tuple[int, int], surface: str) -> np.ndarray:
    return backgrounds.draw(generator(3), shape, surface).grey[:, :, None]


SHEETS = {
    "noise": noisy(),
    "three channels": noisy(channels=3),
    "colours": coloured(),
    "rough": noisy(deviation=40),
    "small": noisy((32, 32)),
    "narrow": noisy((32, 200)),
    "black": constant(0),
    "white": constant(255, channels=3),
    "grey": constant(128),
    "nearly black": noisy(level=4, deviation=3),
    "overexposed": noisy(level=252, deviation=12),
    "black and white": (generator(5).random((64, 64, 1)) < 0.5).astype(np.uint8) * 255,
    "wet strip": drawn((64, 200), "wet"),
}


def grey_levels(painted: Painted, sheet: np.ndarray) -> np.ndarray:
    """How many grey levels brighter each pixel is, the mean of its channels."""
    return (painted.image.astype(float) - sheet).mean(axis=2)


def check_laws(painted: Painted, sheet: np.ndarray) -> None:
    assert (painted.image.dtype, painted.image.shape) == (np.uint8, sheet.shape)
    assert (painted.mask.dtype, painted.mask.shape) == (np.bool_, sheet.shape[:2])
    change = np.abs(painted.image.astype(int) - sheet).max(axis=2)
    assert np.array_equal(change > 0, painted.mask)
    assert np.count_nonzero(painted.mask) >= SMALLEST_AREA
    assert change[painted.mask].min() >= VISIBLE_CHANGE


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SHEETS)
@pytest.mark.parametrize("difficulty", [0, 0.5, 1])
def test_masks_hold_exactly_the_pixels_that_changed_visibly(name, kind, difficulty):
    sheet = SHEETS[name]
    before = sheet.copy()
    for seed in range(4):
        check_laws(paint(sheet, kind, generator(seed), difficulty=difficulty), sheet)
    assert np.array_equal(sheet, before)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.tuples(st.integers(32, 80), st.integers(32, 80)),
    st.floats(0, 255),
    st.floats(0, 60),
)
def test_laws_hold_on_any_sheet(kind, seed, difficulty, shape, level, deviation):
    sheet = noisy(shape, level, deviation)
    check_laws(paint(sheet, kind, generator(seed), difficulty=difficulty), sheet)


@pytest.mark.parametrize("kind", KINDS)
def test_strips_of_severstal_size_can_be_painted(kind):
    sheet = np.repeat(drawn((256, 1600), "stained"), 3, axis=2)
    painted = paint(sheet, kind, generator(1))
    check_laws(painted, sheet)
    # Of such a strip a defect is a small part.
    assert painted.mask.mean() < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(kind):
    sheet = noisy()
    one, again, other = (paint(sheet, kind, generator(seed)) for seed in (1, 1, 2))
    assert one.image.tobytes() == again.image.tobytes()
    assert one.parameters == again.parameters
    assert one.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_allowed_is_painted(kind):
    sheet, where = noisy((120, 120)), np.zeros((120, 120), np.bool_)
    where[20:90, 60:110] = True
    where[40:45] = False
    for seed in range(10):
        painted = paint(sheet, kind, generator(seed), where=where)
        check_laws(painted, sheet)
        assert not (painted.mask & ~where).any()


def test_a_small_room_is_used_with_a_smaller_defect():
    sheet, where = noisy((120, 120)), np.zeros((120, 120), np.bool_)
    where[50:62, 50:62] = True
    for kind in KINDS:
        painted = [
            paint(sheet, kind, generator(seed), difficulty=0, where=where) for seed in (0, 1)
        ]
        assert all(SMALLEST_AREA <= one.mask.sum() <= 144 for one in painted)


@pytest.mark.parametrize("kind", KINDS)
def test_higher_difficulty_means_fainter_and_smaller(kind):
    sheet = noisy((160, 160))
    strengths, areas = [], []
    for difficulty in (0, 0.33, 0.67, 1):
        found = [paint(sheet, kind, generator(seed), difficulty=difficulty) for seed in range(25)]
        strengths.append(
            np.mean([np.abs(grey_levels(one, sheet)[one.mask]).mean() for one in found])
        )
        areas.append(np.mean([one.mask.sum() for one in found]))
    assert (np.diff(strengths) < 0).all()
    assert strengths[0] > 2 * strengths[-1]
    assert areas[0] > 1.3 * areas[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("difficulty", [0.3, 0.7])
def test_difficulty_is_counted_in_the_noise_of_the_sheet(kind, difficulty):
    means = []
    for deviation in (5, 10):
        sheet = noisy((128, 128), 125, deviation)
        changes = [
            np.abs(grey_levels(one, sheet)[one.mask]).mean()
            for one in (
                paint(sheet, kind, generator(seed), difficulty=difficulty) for seed in range(15)
            )
        ]
        means.append(np.mean(changes))
    # Twice the noise, about twice the contrast.
    assert 1.5 < means[1] / means[0] < 2.4


def test_the_light_goes_on_below_a_defect():
    slope = np.linspace(60, 200, 200)[None, :, None] * np.ones((200, 1, 1))
    sheet = np.rint(slope + noisy((200, 200), 0, 0).astype(float)).astype(np.uint8)
    ratios = []
    for seed in range(40):
        painted = paint(sheet, "patches", generator(seed), difficulty=0.1)
        columns = np.nonzero(painted.mask)[1]
        change = grey_levels(painted, sheet)[painted.mask]
        left, right = columns < np.quantile(columns, 0.3), columns > np.quantile(columns, 0.7)
        ratios.append(change[right].mean() / change[left].mean())
    # A share of the brightness is more where the sheet is brighter.
    assert np.median(ratios) > 1.1


@pytest.mark.parametrize("deviation", [4, 10])
def test_grain_goes_on_below_a_defect(deviation):
    sheet = noisy((160, 160), 140, deviation)
    shares = []
    for seed in range(20):
        painted = paint(sheet, "patches", generator(seed), difficulty=0.3)
        inside = cv2.erode(painted.mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        image = painted.image[:, :, 0].astype(np.float32)
        # Neighbours differ by the grain alone.
        steps = np.diff(image, axis=1)[inside[:, 1:]]
        outside = np.diff(sheet[:, :, 0].astype(np.float32), axis=1)
        shares.append(steps.std() / outside.std())
    assert 0.7 < np.median(shares) < 1.25


def test_overexposed_metal_gets_its_grain_back_below_a_dark_defect():
    sheet = noisy((160, 160), 150, 12)
    sheet[:, 40:] = 255
    where = np.zeros((160, 160), np.bool_)
    where[:, 60:] = True
    painted = paint(sheet, "patches", generator(1), difficulty=0, where=where)
    inside = cv2.erode(painted.mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    steps = np.diff(painted.image[:, :, 0].astype(float), axis=1)[inside[:, 1:]]
    assert steps.std() > 3


def steepest_share(sheet: np.ndarray) -> float:
    """Steepest step at the edges of bold pits, as a share of their depth, usually."""
    shares = []
    for seed in range(15):
        change = grey_levels(paint(sheet, "pits", generator(seed), difficulty=0), sheet)
        shares.append(np.abs(np.diff(change, axis=1)).max() / np.abs(change).max())
    return float(np.median(shares))


def test_edges_are_as_soft_as_the_sheet():
    sharp = noisy((128, 128), 125, 5)
    soft = cv2.GaussianBlur(generator(1).normal(0, 1, (128, 128)), (0, 0), 2.0)
    soft = np.rint(125 + 5 * soft / soft.std()).astype(np.uint8)[:, :, None]
    assert steepest_share(soft) < 0.75 * steepest_share(sharp)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_becomes_black_or_white_that_was_not(kind):
    for level in (40, 128, 215):
        sheet = noisy((96, 96), level, 6)
        for seed in range(6):
            image = paint(sheet, kind, generator(seed), difficulty=0).image
            assert image.min() > 0
            assert image.max() < 255


def test_grey_sheets_stay_grey_in_three_channels():
    sheet = noisy(channels=3)
    for kind in KINDS:
        one, three = paint(sheet[:, :, :1], kind, generator(7)), paint(sheet, kind, generator(7))
        assert (three.image == three.image[:, :, :1]).all()
        assert np.array_equal(one.image[:, :, 0], three.image[:, :, 0])
        assert np.array_equal(one.mask, three.mask)


def test_colours_keep_their_hue():
    sheet = coloured()
    painted = paint(sheet, "patches", generator(2), difficulty=0)
    red, green, blue = painted.image[painted.mask].astype(float).T
    assert np.median(green / red) == pytest.approx(1 / 2, abs=0.02)
    assert np.median(blue / red) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("kind", ["pits", "inclusions", "cracks", "rolled-in scale"])
def test_dark_kinds_are_dark_on_steel_and_bright_on_black(kind):
    steel, black = noisy(), constant(0)
    on_steel, on_black = paint(steel, kind, generator()), paint(black, kind, generator())
    assert grey_levels(on_steel, steel)[on_steel.mask].mean() < 0
    assert grey_levels(on_black, black)[on_black.mask].mean() > 0
    assert on_steel.parameters["polarity"] == "dark"
    assert on_black.parameters["polarity"] == "bright"


def test_parameters_say_what_was_painted():
    sheet = noisy()
    painted = paint(sheet, "scratches", generator(4), difficulty=0.25)
    found = json.loads(json.dumps(painted.parameters))
    assert found == painted.parameters
    assert (found["kind"], found["difficulty"]) == ("scratches", 0.25)
    assert found["area"] == painted.mask.sum()
    rows, columns = np.nonzero(painted.mask)
    assert (found["row"], found["column"]) == pytest.approx((rows.mean(), columns.mean()), abs=0.1)
    mean = grey_levels(painted, sheet)[painted.mask].mean()
    assert found["mean_change"] == pytest.approx(mean, abs=0.1)
    assert found["noise"] == pytest.approx(6, rel=0.2)


def look(**changes: float) -> Look:
    values = {"areas": 240.0, "elongations": 8.0, "angles": 20.0, "contrasts": 0.3, "counts": 1}
    return Look(**{name: (value,) for name, value in (values | changes).items()})


@pytest.mark.parametrize("kind", ["scratches", "inclusions"])
@pytest.mark.parametrize("contrast", [-0.3, 0.3])
@pytest.mark.parametrize("noise", [2, 5])
def test_painted_defects_measure_like_those_they_follow(kind, contrast, noise):
    sheet = noisy((160, 160), 125, noise)
    real = look(contrasts=contrast)
    painted = [paint(sheet, kind, generator(seed), like=real) for seed in range(25)]
    found = look_at((one.image, one.mask) for one in painted)
    assert np.median(found.contrasts) == pytest.approx(contrast, rel=0.35)
    assert np.median(found.areas) == pytest.approx(240, rel=0.5)
    assert 4 < np.median(found.elongations) < 16
    assert np.median(np.abs((np.array(found.angles) - 20 + 90) % 180 - 90)) < 8
    # The burr beside a scratch may be outlined as a component of its own.
    assert found.dark_share == pytest.approx(int(contrast < 0), abs=0.1)


def test_a_faint_look_is_still_painted_visibly():
    sheet = noisy()
    for kind in KINDS:
        check_laws(paint(sheet, kind, generator(), like=look(contrasts=0.0)), sheet)


def nowhere(count: int) -> np.ndarray:
    where = np.zeros((48, 64), np.bool_)
    where.flat[: 60 * count : 60] = True
    return where


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        pytest.param(
            {"kind": "rust"},
            ConfigError,
            "expected a kind of defect among scratches, pits, inclusions, patches, cracks, "
            "rolled-in scale, got 'rust'",
            id="kind",
        ),
        pytest.param(
            {"difficulty": 1.5}, ConfigError, "difficulty must lie in [0, 1], got 1.5", id="range"
        ),
        pytest.param(
            {"difficulty": float("nan")},
            ConfigError,
            "difficulty must lie in [0, 1], got nan",
            id="no number",
        ),
        pytest.param(
            {"sheet": np.zeros((31, 64, 1), np.uint8)},
            ConfigError,
            "a sheet needs at least 32 x 32 pixels, got shape (31, 64)",
            id="small sheet",
        ),
        pytest.param(
            {"sheet": np.zeros((64, 64), np.uint8)},
            ImageError,
            "the sheet: expected a uint8 image (height, width, 1 or 3 channels), "
            "got uint8 of shape (64, 64)",
            id="no image",
        ),
        pytest.param(
            {"where": np.ones((48, 63), np.bool_)},
            MaskError,
            "where: expected a bool mask of shape (48, 64) like the sheet, "
            "got bool of shape (48, 63)",
            id="other size",
        ),
        pytest.param(
            {"where": np.ones((48, 64), np.uint8)},
            MaskError,
            "where: expected a bool mask of shape (48, 64) like the sheet, "
            "got uint8 of shape (48, 64)",
            id="no mask",
        ),
        pytest.param(
            {"where": nowhere(0)},
            ConfigError,
            "no room for scratches: of 3072 pixels 0 may be painted, too few or too scattered. "
            "Allow more of the sheet in where",
            id="nowhere",
        ),
        pytest.param(
            {"where": nowhere(7)},
            ConfigError,
            "no room for scratches: of 3072 pixels 7 may be painted, too few or too scattered. "
            "Allow more of the sheet in where",
            id="scattered",
        ),
    ],
)
def test_what_cannot_be_painted_is_refused(arguments, error, message):
    given_arguments = {"sheet": constant(100), "kind": "scratches", "generator": generator()}
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        paint(**(given_arguments | arguments))
