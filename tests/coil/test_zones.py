import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steel_defect_detection.coil import zones
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis.coils import Plan, simulate
from tests.coil import built

PLACES = st.lists(
    st.tuples(st.floats(0, 99_999), st.floats(0, 200), st.integers(1, 2)), max_size=30
)


def test_defects_are_counted_along_the_coil_by_class():
    coil = built.coil([(100, 5, 1), (999, 5, 2), (1000, 5, 2), (2400, 5, 2)], length=2500, images=5)
    bins = zones.along(coil, 1000)
    assert bins.edges.tolist() == [0, 1000, 2000, 2500]
    assert bins.counts.tolist() == [[1, 1], [0, 1], [0, 1]]
    assert bins.areas.tolist() == [[100, 100], [0, 100], [0, 100]]


def test_what_was_not_seen_is_told():
    coil = built.coil([], length=4000, images=8, unread=[2, 4, 5])
    assert zones.along(coil, 1000).seen.tolist() == [1, 0.5, 0, 1]


def test_defects_are_counted_across_the_coil():
    bins = zones.across(built.coil([(5, 0, 1), (6, 199, 1), (7, 200, 2), (8, 90, 1)]), 2)
    assert bins.edges.tolist() == [0, 100, 200]
    assert bins.counts.tolist() == [[2, 0], [1, 1]]


@given(PLACES, st.floats(50, 200_000), st.integers(1, 40))
def test_every_defect_is_counted_once(places, size, count):
    coil = built.coil(places)
    for bins in (zones.along(coil, size), zones.across(coil, count)):
        assert bins.counts.sum() == len(places)
        assert bins.areas.sum() == 100 * len(places)


def test_a_crowded_edge_is_called_so_and_the_other_is_not():
    random = np.random.default_rng(0)
    along = random.uniform(0, 100_000, 400)
    across = np.where(random.random(400) < 0.4, random.uniform(0, 20, 400), 0)
    across = np.where(across == 0, random.uniform(0, 200, 400), across)
    near, far = zones.edges(built.coil([(a, b, 1) for a, b in zip(along, across, strict=True)]))
    assert near.is_crowded
    assert near.share == pytest.approx(0.4 + 0.6 * 0.1, abs=0.06)
    assert not far.is_crowded


def test_one_burst_at_an_edge_is_no_crowded_edge():
    random = np.random.default_rng(1)
    spread = [(a, b, 1) for a, b in zip(*random.uniform(0, 1, (2, 200)), strict=True)]
    places = [(100_000 * a, 200 * b, 1) for a, b, _ in spread]
    places += [(50_100 + number, 3, 1) for number in range(40)]
    near, _ = zones.edges(built.coil(places))
    # Twice the share by chance, and yet all in one place along the coil.
    assert near.share > 0.2
    assert not near.is_crowded


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_bursts_crowd_no_edge_but_once_in_a_hundred(count):
    """Where counted as draws of their own, they did on one coil of five."""
    plan = Plan(images=60, defects=count, background="bursty")
    coils = [simulate(plan, seed).coil for seed in range(150)]
    crowded = sum(edge.is_crowded for coil in coils for edge in zones.edges(coil))
    assert crowded <= 0.01 * 2 * len(coils)


def test_an_edge_that_is_a_little_crowded_is_called_so_where_there_are_many_defects():
    plan = Plan(images=60, defects=1000)
    places = simulate(plan, 0).coil.defects
    across = np.where(np.arange(1000) % 8 == 0, places.across / 10, places.across)
    coil = built.coil(zip(places.along, across, places.class_number * 0 + 1, strict=True),
                      length=96_000.0, width=256.0, images=60)  # fmt: skip
    near, far = zones.edges(coil)
    assert near.share == pytest.approx(1 / 8 + 7 / 80, abs=0.03)
    assert near.is_crowded
    assert not far.is_crowded


@pytest.mark.parametrize("crowded", [2, 5])
def test_a_few_defects_must_lie_apart_to_crowd_an_edge(crowded):
    """A tenth of the width: chance puts two of two there once in 100, five of five in 100,000."""
    together = zones.edges(built.coil([(50_000 + 30 * n, 5, 1) for n in range(crowded)]))[0]
    apart = zones.edges(built.coil([(10_000 * n, 5, 1) for n in range(crowded)]))[0]
    assert not together.is_crowded
    assert apart.is_crowded == (crowded == 5)
    assert apart.probability >= 0.1**crowded


def test_intervals_of_an_even_coil_hold_the_truth():
    random = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        places = [(100_000 * a, 200 * b, 1) for a, b in random.uniform(0, 1, (300, 2)).tolist()]
        near, _ = zones.edges(built.coil(places))
        held += near.low <= 0.1 <= near.high
    assert held / 200 > 0.9


def test_a_trend_is_found_and_has_a_direction():
    random = np.random.default_rng(3)
    along = 100_000 * np.sqrt(random.uniform(0, 1, 600))
    trend = zones.trend(built.coil([(place, 50, 1) for place in along]))
    assert trend.is_sure
    assert trend.tau > 0
    # From 0 to twice its mean of 6 per 1,000 pixels: 2 in the first third, 10 in the last.
    assert (trend.first, trend.last) == (pytest.approx(2, abs=0.5), pytest.approx(10, abs=0.7))


def test_an_even_coil_has_no_trend():
    random = np.random.default_rng(4)
    sure = 0
    for _ in range(100):
        along = random.uniform(0, 100_000, 200)
        sure += zones.trend(built.coil([(place, 50, 1) for place in along])).is_sure
    assert sure <= 5


def test_a_coil_without_defects_has_neither():
    coil = built.coil([])
    assert not zones.trend(coil).is_sure
    assert not any(edge.is_crowded for edge in zones.edges(coil))


def test_unread_images_are_no_fall_in_defects():
    places = [(250 + 500 * number, 50, 1) for number in range(100)]
    trend = zones.trend(built.coil(places, unread=range(50, 100)))
    assert not trend.is_sure


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda coil: zones.along(coil, 0), "the parts of a coil must have a length, got 0"),
        (lambda coil: zones.across(coil, 0), "zones must be 1 to 1,000, got 0"),
        (lambda coil: zones.across(coil, 10**8), "zones must be 1 to 1,000, got 100000000"),
        (
            lambda coil: zones.along(coil, 1e-297),
            "100,000 pixels of strip are too long for parts of 1e-297 pixels: 100,000 parts at "
            "most. Is the scale right?",
        ),
        (
            lambda coil: zones.edges(coil, 0.6),
            "an edge must be more than 0 and at most half of the width, got 0.6",
        ),
    ],
)
def test_impossible_parts_are_refused(call, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        call(built.coil([]))
