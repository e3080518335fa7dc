import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.coil.recurrence import Settings, find
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis.coils import BACKGROUNDS, Mark, Plan, simulate
from tests.coil import built

MARK = Mark(
    period=1571.0, first=2000.0, across=100.0, detection=0.8, jitter_along=3.0, confusion=0.1
)
PLAN = Plan(images=60, defects=150, background="mixed", marks=(MARK,))


def moved(coil: Coil, *, by: float = 0.0, order=None, mirrored: bool = False) -> Coil:
    """The same defects elsewhere, listed in another order, or from the other end."""
    defects = coil.defects
    along = coil.length - defects.along if mirrored else defects.along + by
    defects = replace(defects, along=along)
    defects = defects if order is None else defects.take(order)
    lengths = coil.lengths.copy()
    lengths[-1] += by
    return replace(coil, defects=defects.in_order(), lengths=lengths)


def test_a_planted_mark_is_found_where_it_was_planted():
    sim = simulate(PLAN, 0)
    search = find(sim.coil)
    (found,) = search.recurrences
    assert found.period == pytest.approx(1571, abs=4 * found.period_error)
    assert found.period_error < 0.2
    assert found.phase == pytest.approx(2000 - 1571, abs=3)
    assert found.across == pytest.approx(100, abs=2)
    assert found.diameter == pytest.approx(500, abs=0.2)
    assert found.class_number == 1
    assert found.false_alarm < 1e-9
    assert (sim.mark[found.members] == 0).mean() > 0.95
    assert len(found.members) > 0.8 * (sim.mark == 0).sum()
    assert found.occupied == pytest.approx(0.75, abs=0.12)


def test_of_ten_planted_marks_nine_are_found():
    found = 0
    for seed in range(10):
        recurrences = find(simulate(PLAN, seed).coil).recurrences
        found += any(abs(one.period - 1571) < 1 for one in recurrences)
    assert found >= 9


def test_of_thirty_random_coils_one_at_most_shows_a_mark():
    alarms = 0
    for seed in range(30):
        plan = Plan(images=60, defects=200, background=BACKGROUNDS[seed % len(BACKGROUNDS)])
        alarms += bool(find(simulate(plan, seed).coil).recurrences)
    assert alarms <= 1


@pytest.mark.parametrize("seed", range(10))
def test_a_mark_seen_on_half_of_its_turns_is_one_mark_with_its_own_period(seed):
    mark = Mark(period=3141.6, first=20_000, across=100, detection=0.5)
    (found,) = find(simulate(Plan(marks=(mark,)), seed).coil).recurrences
    assert found.period == pytest.approx(3141.6, rel=1e-3)


def test_a_mark_ends_where_the_roll_was_changed():
    mark = replace(MARK, last=50_000.0, detection=1.0)
    (found,) = find(simulate(replace(PLAN, marks=(mark,)), 1).coil).recurrences
    assert found.first == pytest.approx(2000, abs=5)
    assert 50_000 - 1571 < found.last < 50_000


def test_two_marks_of_one_roll_share_their_period():
    marks = (MARK, replace(MARK, first=2700.0, across=200.0, class_number=4))
    found = find(simulate(replace(PLAN, marks=marks), 2).coil).recurrences
    assert [one.shares_period_with for one in found] == [(2,), (1,)]
    assert sorted(round(one.across, -1) for one in found) == [100, 200]


def test_two_rolls_do_not():
    marks = (MARK, replace(MARK, period=1913.0, across=200.0))
    found = find(simulate(replace(PLAN, marks=marks), 3).coil).recurrences
    assert sorted(round(one.period) for one in found) == [1571, 1913]
    assert [one.shares_period_with for one in found] == [(), ()]


def test_a_period_of_the_image_length_is_marked_as_such():
    mark = replace(MARK, period=1600.0)
    (found,) = find(simulate(replace(PLAN, marks=(mark,)), 0).coil).recurrences
    assert found.images_per_period == 1
    mark = replace(MARK, period=3200.0, detection=1.0)
    (found,) = find(simulate(replace(PLAN, marks=(mark,)), 0).coil).recurrences
    assert found.images_per_period == 2


def test_gaps_between_images_count_to_the_distance_of_images():
    coil = built.coil([(500 + 1000 * turn, 50, 1) for turn in range(24)])
    (found,) = find(replace(coil, lengths=np.full(100, 800.0))).recurrences
    assert found.images_per_period == 1


def test_a_mark_under_two_names_is_one_mark():
    places = [(500 + 1000 * turn, 50, 1 + turn % 2) for turn in range(24)]
    (found,) = find(built.coil(places)).recurrences
    assert len(found.members) == found.places == 24
    assert found.period == pytest.approx(1000)


def test_the_pieces_of_a_broken_scratch_are_no_mark():
    random = np.random.default_rng(0)
    places = 20_000 + np.cumsum(random.exponential(60, 300))
    assert find(built.coil([(place, 50, 1) for place in places])).recurrences == ()


def test_images_that_were_not_read_do_not_hide_a_mark():
    kept = [turn for turn in range(40) if not 12 <= turn < 20]
    places = [(500 + 1000.0 * turn, 50, 1) for turn in kept]
    coil = built.coil(places, unread=range(12, 20))
    (found,) = find(coil).recurrences
    assert len(found.members) == found.places == len(kept)


@settings(max_examples=10)
@given(st.integers(0, 3000))
def test_moving_all_defects_moves_the_phase(by):
    coil = simulate(PLAN, 0).coil
    (usual,), (found,) = find(coil).recurrences, find(moved(coil, by=float(by))).recurrences
    assert found.period == pytest.approx(usual.period)
    off = (found.phase - usual.phase - by) % usual.period
    assert min(off, usual.period - off) == pytest.approx(0, abs=1e-6)
    assert found.members.tolist() == usual.members.tolist()


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_in_which_defects_are_listed_changes_nothing(seed):
    coil = simulate(PLAN, 0).coil
    order = np.random.default_rng(seed).permutation(len(coil.defects))
    (usual,), (found,) = find(coil).recurrences, find(moved(coil, order=order)).recurrences
    assert found.members.tolist() == usual.members.tolist()
    assert found.false_alarm == usual.false_alarm


@pytest.mark.parametrize("seed", range(5))
def test_a_coil_unrolled_from_its_other_end_shows_the_same_period(seed):
    coil = simulate(PLAN, seed).coil
    (usual,), (found,) = find(coil).recurrences, find(moved(coil, mirrored=True)).recurrences
    assert found.period == pytest.approx(usual.period, abs=3 * usual.period_error)


def test_what_could_have_been_found_is_found():
    """As many turns as are said to be enough are enough, and two fewer are not."""
    search = find(built.coil([]))
    assert search.recurrences == ()
    assert len(search.least_turns) == 3
    for period, turns in search.least_turns.items():
        for count, expected in ((turns, 1), (turns - 2, 0)):
            places = [(500 + period * turn, 50, 1) for turn in range(count)]
            settings = Settings(tolerance=search.tolerance)
            assert len(find(built.coil(places), settings).recurrences) == expected


def test_periods_are_looked_for_within_bounds_only():
    places = [(500 + 1000 * turn, 50, 1) for turn in range(24)]
    assert find(built.coil(places), Settings(shortest=1100, longest=1900)).recurrences == ()
    (found,) = find(built.coil(places), Settings(shortest=900, longest=1900)).recurrences
    assert found.period == pytest.approx(1000)


def test_bounds_are_in_millimetres_by_themselves():
    search = find(built.coil([], mm_per_pixel=0.25))
    assert (search.shortest, search.longest) == (400, 20_000)


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"false_alarms": 0.0}, "false_alarms must lie between 0 and 1, got 0.0"),
        ({"least_members": 2}, "least_members must be 3 or more, got 2"),
        ({"tolerance": 0.0}, "tolerance must be positive, got 0.0"),
        ({"tolerance_across": math.inf}, "tolerance_across must be positive, got inf"),
        (
            {"shortest": 9.0, "longest": 3.0},
            "shortest must not exceed longest, got 9.0 and 3.0",
        ),
    ],
)
def test_impossible_settings_are_refused(given_settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Settings(**given_settings)


def test_a_longest_period_below_the_usual_shortest_is_refused():
    message = "the longest period, 50, is less than the shortest, 100. Give both"
    with pytest.raises(ConfigError, match=re.escape(message)):
        find(built.coil([]), Settings(longest=50))
