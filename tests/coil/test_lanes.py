import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.coil import lanes
from tests.coil import built

LENGTH = 1000.0


def lane_of(places, tolerance=5.0):
    coil = built.coil([(place, 10, 1) for place in places], length=LENGTH, images=1)
    return lanes.one(coil, np.arange(len(places)), tolerance=tolerance)


def covered(lane, begin, end, reach):
    windows = (np.array([begin]), np.array([end]))
    return float(lane.covered(np.zeros(1, dtype=np.int64), windows, np.array([reach]))[0])


def test_a_defect_of_one_class_stands_in_two_lanes_and_in_four_beside_other_classes():
    alone = built.coil([(10, 10, 1), (20, 10, 1)])
    mixed = built.coil([(10, 10, 1), (20, 10, 2)])
    both = np.arange(2)
    assert len(lanes.build(alone, both, lane_width=20, tolerance=5)) == 4
    assert len(lanes.build(mixed, both, lane_width=20, tolerance=5)) == 8


@given(st.floats(0, 200), st.floats(-10, 10))
def test_what_lies_within_half_a_lane_of_width_shares_a_lane(across, off):
    other = min(200.0, max(0.0, across + off * 0.999))
    coil = built.coil([(10, across, 1), (20, other, 1)])
    found = lanes.build(coil, np.arange(2), lane_width=20, tolerance=5)
    assert set(found.lane[found.defect == 0]) & set(found.lane[found.defect == 1])


def test_the_nearest_entry_is_of_the_lane_that_was_asked():
    coil = built.coil([(10, 10, 1), (50, 190, 1), (90, 10, 1)])
    found = lanes.build(coil, np.arange(3), lane_width=20, tolerance=5)
    lane = found.lane[found.defect == 0][:1]
    entry, distance = found.nearest(lane, np.array([48.0]))
    assert found.defect[entry].tolist() == [0]
    assert distance.tolist() == [38]


def test_one_defect_covers_its_reach_on_both_sides():
    assert covered(lane_of([500]), 400, 600, 10) == pytest.approx(20 / 200)


def test_an_empty_window_is_not_covered():
    assert covered(lane_of([500]), 100, 300, 10) == 0


def test_pieces_that_lie_together_cover_little():
    burst = lane_of([500, 505, 510, 515, 520])
    # From 490 to 530, and not five times 20.
    assert covered(burst, 400, 600, 10) == pytest.approx(40 / 200)


def test_a_window_ends_with_the_coil():
    assert covered(lane_of([990]), 900, 1100, 10) == pytest.approx(20 / 100)


@given(
    st.lists(st.integers(0, 999), min_size=1, max_size=20, unique=True),
    st.integers(0, 800),
    st.integers(20, 200),
    st.integers(5, 30),
)
def test_what_is_covered_is_never_said_too_small(places, begin, size, reach):
    """Compare with painting the reach of the window's defects, tenth by tenth of a pixel."""
    grid = np.arange(begin, min(begin + size, LENGTH), 0.1)
    inside = [place for place in places if begin <= place <= begin + size]
    painted = np.zeros(len(grid), dtype=np.bool_)
    for place in inside:
        painted |= np.abs(grid - place) < reach
    share = covered(lane_of(sorted(places)), float(begin), float(begin + size), float(reach))
    assert share >= painted.mean() - 0.01


def test_what_is_left_out_is_gone_and_the_others_keep_their_places():
    lane = lane_of([100, 200, 300])
    left, numbers = lane.without(np.array([False, True, False]))
    assert left.along.tolist() == [100, 300]
    assert numbers.tolist() == [0, -1, 1]
