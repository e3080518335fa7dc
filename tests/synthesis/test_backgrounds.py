import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis import backgrounds
from steel_defect_detection.synthesis.backgrounds import SURFACES

SHAPE = (96, 320)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("surface", [*SURFACES, None])
def test_a_strip_is_grey_levels_of_the_shape_asked_for(surface):
    strip = backgrounds.draw(generator(), SHAPE, surface)
    assert (strip.grey.dtype, strip.grey.shape) == (np.uint8, SHAPE)
    assert 0 <= strip.steel[0] < strip.steel[1] <= SHAPE[1]
    # Lit metal, neither black nor burnt out.
    assert 40 < strip.grey[:, slice(*strip.steel)].mean() < 190


def test_the_same_seed_gives_the_same_strip():
    one, again, other = (backgrounds.draw(generator(seed), SHAPE) for seed in (1, 1, 2))
    assert np.array_equal(one.grey, again.grey)
    assert not np.array_equal(one.grey, other.grey)


def test_beyond_the_strip_all_is_black():
    strips = [backgrounds.draw(generator(seed), SHAPE, "plain") for seed in range(20)]
    cut = [strip for strip in strips if strip.steel != (0, SHAPE[1])]
    # Three in ten are cut, on either side.
    assert 2 <= len(cut) <= 12
    assert {strip.steel[0] == 0 for strip in cut} == {True, False}
    for strip in cut:
        outermost = strip.grey[:, -2:] if strip.steel[0] == 0 else strip.grey[:, :2]
        assert outermost.mean() < 20 < strip.grey[:, slice(*strip.steel)].mean()


def test_an_unknown_surface_is_refused_with_the_known_ones():
    message = (
        "expected a surface among plain, stained, blotched, scaled, wet, chequered, got 'oily'"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        backgrounds.draw(generator(), SHAPE, "oily")


@pytest.mark.parametrize("make", [backgrounds.noise, backgrounds.clouds])
@pytest.mark.parametrize("lengths", [(1.0, 1.0), (3.0, 9.0), (12.0, 4.0)])
def test_noise_has_mean_0_and_deviation_1(make, lengths):
    found = make(generator(), (600, 800), lengths)
    assert (found.dtype, found.shape) == (np.float32, (600, 800))
    assert found.mean() == pytest.approx(0, abs=0.1)
    # Between the cells of its grid noise is interpolated, which takes a part of the deviation.
    assert 0.7 < found.std() < 1.1


def test_noise_is_smooth_over_its_length_and_no_further():
    found = backgrounds.noise(generator(), (400, 1600), (1.0, 24.0))

    def likeness(distance: int) -> float:
        return float(np.corrcoef(found[:, distance:].ravel(), found[:, :-distance].ravel())[0, 1])

    assert likeness(2) > 0.8
    assert abs(likeness(100)) < 0.1
    assert abs(np.corrcoef(found[1:].ravel(), found[:-1].ravel())[0, 1]) < 0.7


def test_a_step_rises_from_0_to_1_around_its_threshold():
    field = np.array([-10, 0.4, 0.5, 0.6, 10])
    assert backgrounds.step(field, 0.5, 0.4).tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1])


numbers = st.floats(-100, 100, width=32)


@settings(deadline=None)
@given(st.lists(numbers, min_size=2, max_size=9), numbers, st.floats(0.1, 10))
def test_a_step_never_falls_and_never_leaves_0_to_1(values, threshold, softness):
    opacity = backgrounds.step(np.sort(values), threshold, softness)
    assert opacity.dtype == np.float32
    assert (np.diff(opacity) >= 0).all()
    assert 0 <= opacity.min() <= opacity.max() <= 1


def test_ragged_outlines_stay_near_the_shape():
    shapes = np.zeros((80, 80), np.float32)
    shapes[20:60, 20:60] = 1
    rough = backgrounds.ragged(shapes, generator(), 4.0, 0.16)
    assert 0 <= rough.min() <= rough.max() <= 1
    assert rough[30:50, 30:50].mean() > 0.95
    assert rough[:10].max() == rough[:, 70:].max() == 0
    assert not np.array_equal(rough > 0.5, shapes > 0.5)
