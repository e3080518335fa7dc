import numpy as np
import pytest

from steel_defect_detection.coil import combs, sight
from steel_defect_detection.coil.combs import Reach
from tests.coil import built

REACH = Reach(8.0, 10.0)


def grown(coil, pair):
    return combs.grown(coil, sight.of_coil(coil), np.arange(len(coil.defects)), pair, REACH)


def row(turns, *, period=1000.0, start=500.0, across=50.0, class_number=1):
    return [(start + period * turn, across, class_number) for turn in turns]


def test_a_row_is_walked_to_both_ends():
    comb = grown(built.coil(row(range(20))), (9, 10))
    assert comb.defects.tolist() == list(range(20))
    assert comb.turns.tolist() == list(range(20))
    assert (comb.places, comb.start) == (20, pytest.approx(500))
    assert comb.period == pytest.approx(1000)
    assert comb.period_error == pytest.approx(0, abs=1e-9)


def test_missed_places_are_counted():
    comb = grown(built.coil(row([0, 1, 2, 4, 5, 8, 9])), (0, 1))
    assert comb.turns.tolist() == [0, 1, 2, 4, 5, 8, 9]
    assert comb.places == 10


def test_places_that_nobody_saw_are_not_missed():
    coil = built.coil(row([0, 1, 2, 6, 7, 8]), unread=[3, 4, 5])
    comb = grown(coil, (0, 1))
    assert len(comb.defects) == comb.places == 6


def test_defects_elsewhere_do_not_belong():
    coil = built.coil([*row(range(8)), (2530, 50, 1), (3500, 90, 1)])
    comb = grown(coil, (0, 1))
    assert set(coil.defects.along[comb.defects]) == {500 + 1000.0 * turn for turn in range(8)}
    assert (coil.defects.across[comb.defects] == 50).all()


def test_period_and_its_error_are_those_of_a_straight_line():
    random = np.random.default_rng(3)
    places = 500 + 1000.0 * np.arange(40) + random.normal(0, 2, 40)
    comb = grown(built.coil([(place, 50, 1) for place in places]), (0, 1))
    line, covariance = np.polyfit(np.arange(40), places, 1, cov=True)
    assert comb.period == pytest.approx(line[0], abs=0.03)
    assert comb.period_error == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.25)
    assert comb.scatter == pytest.approx(2, rel=0.3)


def test_a_slowly_growing_period_is_followed():
    """The strip is two parts in a thousand longer at its end."""
    periods = np.linspace(1000, 1002, 80)
    places = 500 + np.concatenate([[0], np.cumsum(periods)])
    comb = grown(built.coil([(place, 50, 1) for place in places]), (0, 1))
    assert len(comb.defects) == 81


def test_every_second_place_leads_to_the_true_period():
    coil = built.coil(row(range(30)))
    numbers = np.arange(30)
    double = grown(coil, (0, 2))
    assert double.period == pytest.approx(2000)
    one, other = combs.finest(coil, numbers, double, REACH, 100.0)
    assert coil.defects.along[other] - coil.defects.along[one] == 1000


def test_a_mark_seen_on_half_of_its_turns_leads_to_the_true_period():
    """Chance put more of them on the even turns: 12 of 15, and 5 of 15."""
    even = [2 * turn for turn in range(15) if turn not in (3, 7, 11)]
    coil = built.coil(row(sorted([*even, 3, 7, 13, 19, 25])))
    numbers = np.arange(len(coil.defects))
    double = grown(coil, (0, 1))
    assert double.period == pytest.approx(2000)
    one, other = combs.finest(coil, numbers, double, REACH, 100.0)
    assert coil.defects.along[other] - coil.defects.along[one] == 1000


def test_a_row_that_goes_on_after_a_long_interruption_is_one():
    coil = built.coil([*row(range(10)), *row(range(25, 40))])
    parts = grown(coil, (0, 1)), grown(coil, (12, 13))
    assert [len(part.defects) for part in parts] == [10, 15]
    for order in (parts, parts[::-1]):
        whole = combs.joined(coil, sight.of_coil(coil), order, REACH)
        assert whole.turns.tolist() == [*range(10), *range(25, 40)]
        assert (whole.period, whole.places) == (pytest.approx(1000), 40)


@pytest.mark.parametrize(
    "other",
    [
        row(range(25, 40), start=800.0),
        row(range(25, 40), across=90.0),
        row(range(20, 32), period=1250.0),
        row(range(2, 14), start=800.0),
    ],
    ids=["out of step", "elsewhere across", "of another period", "at the same time"],
)
def test_other_rows_are_not_put_together(other):
    begun = row(range(10))
    coil = built.coil([*begun, *other])
    along = coil.defects.along
    pairs = [
        tuple(np.flatnonzero(np.isin(along, [place for place, *_ in one[:2]])).tolist())
        for one in (begun, other)
    ]
    parts = tuple(grown(coil, pair) for pair in pairs)
    assert [len(part.defects) for part in parts] == [len(begun), len(other)]
    assert combs.joined(coil, sight.of_coil(coil), parts, REACH) is None


def test_a_true_period_is_kept():
    coil = built.coil([*row(range(30)), (4000, 50, 1), (9000, 50, 1), (14000, 50, 1)])
    comb = grown(coil, (0, 1))
    assert combs.finest(coil, np.arange(len(coil.defects)), comb, REACH, 100.0) is None


def test_a_comb_accounts_for_what_lies_at_its_places_whatever_its_class():
    coil = built.coil([*row(range(8)), (2505, 55, 2), (2800, 50, 1), (3500, 90, 1)])
    comb = grown(coil, (0, 1))
    gone = combs.explained(coil, comb, REACH)
    left = coil.defects.take(np.flatnonzero(~gone))
    assert left.along.tolist() == [2800, 3500]
