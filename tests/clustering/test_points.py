import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from steel_defect_detection.clustering import points
from steel_defect_detection.errors import ConfigError

ROWS = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)


@given(st.floats(0.01, 100))
def test_contrast_makes_no_difference(factor):
    scaled = points.normalised((ROWS * factor).astype(np.float32))
    assert np.allclose(scaled, points.normalised(ROWS), atol=1e-5)
    assert np.allclose(np.linalg.norm(scaled, axis=1), 1, atol=1e-5)


def test_all_axes_keep_all_distances():
    assert np.allclose(pdist(points.axes(ROWS, 6).project(ROWS)), pdist(ROWS), atol=1e-4)


def test_the_first_axis_is_the_direction_of_most_spread():
    line = np.outer(np.arange(10), [3, 4]).astype(np.float32)
    found = points.axes(line, 1)
    assert np.allclose(np.abs(found.directions), [[0.6, 0.8]], atol=1e-5)
    assert np.allclose(found.mean, [13.5, 18.0])


def test_few_axes_spread_as_far_as_singular_values_say():
    projected = points.axes(ROWS, 3).project(ROWS)
    singular = np.linalg.svd(ROWS - ROWS.mean(axis=0), compute_uv=False)[:3]
    assert np.allclose(np.linalg.norm(projected, axis=0), singular, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 7])
def test_more_axes_than_there_are_is_refused(count):
    message = f"expected 1 to 6 principal axes for 30 crops with 6 numbers each, got {count}"
    with pytest.raises(ConfigError, match=re.escape(message)):
        points.axes(ROWS, count)


def test_a_map_has_two_coordinates_whatever_there_is():
    assert points.on_a_plane(ROWS).shape == (30, 2)
    assert points.on_a_plane(ROWS[:, :1])[:, 1].tolist() == [0] * 30
    assert points.on_a_plane(np.ones((5, 3), np.float32)).tolist() == [[0, 0]] * 5
