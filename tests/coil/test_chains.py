import numpy as np
import pytest

from steel_defect_detection.coil import chains, lanes, sight
from tests.coil import built


def searched(places, *, length=100_000.0, tolerance=5.0, shortest=100.0, longest=5000.0):
    coil = built.coil([(place, 10, 1) for place in places], length=length)
    lane = lanes.one(coil, np.arange(len(places)), tolerance=tolerance)
    seen = sight.of_coil(coil)
    pairs = chains.pairs(lane, seen, shortest=shortest, longest=longest)
    return pairs, chains.worth(lane, seen, pairs)


def test_pairs_have_periods_within_the_bounds():
    pairs, _ = searched([1000, 1050, 2000, 9000], longest=1000)
    # 950 and 1000 of six distances; neither is followed by a third defect.
    assert pairs.tried == 2
    assert pairs.scale == pytest.approx(1 / 950 + 1 / 1000)
    assert len(pairs.first) == 0


def test_shares_of_false_alarms_add_up_to_one():
    places = np.arange(10) * 1000.0 + 500
    pairs, _ = searched(places, longest=3500)
    # All pairs of this row go on, but for those that end with it.
    assert pairs.tried == 9 + 8 + 7
    assert np.exp(pairs.log_share).sum() < 1
    all_periods = np.repeat([1000, 2000, 3000], [9, 8, 7])
    assert pairs.scale == pytest.approx((1 / all_periods).sum())


def test_a_bet_on_an_even_row_is_worth_what_its_odds_say():
    places = np.arange(4) * 1000.0 + 500
    pairs, worth = searched(places, longest=1500)
    # The third place may lie sqrt(1 + 5/0.95) tolerances off, and c is twice that by 1000. With
    # two of two hits, q is 2.5/3. For the fourth the third counts 0.95, and both of the pair,
    # which are a turn older, 0.95^2: by hand, from weighted least squares.
    weights, turns = 0.95 ** np.array([1, 2, 2]), np.array([-1, -2, -3])
    middle = (weights * turns).sum() / weights.sum()
    spread = 1 / weights.sum() + middle**2 / (weights * (turns - middle) ** 2).sum()
    odds = [2.5 / 3, 3.5 / 4]
    chances = [
        2 * 5 * np.sqrt(1 + 5 / 0.95) / 1000,
        2 * 5 * np.sqrt(1 + spread) / 1000,
    ]
    first = pairs.first == 0
    assert worth[first][0] == pytest.approx(np.log(np.array(odds) / chances).sum(), rel=1e-6)


def test_a_row_alone_is_worth_what_is_said_of_rows_alone():
    values = chains.undisturbed(1000.0, 5.0)
    _, worth = searched(np.arange(12) * 1000.0 + 5500, longest=1500)
    assert worth.max() == pytest.approx(values[10], rel=1e-6)
    assert (np.diff(values) > 0).all()


def test_missed_places_make_a_row_worth_less_only_where_something_else_lies():
    row = np.arange(20) * 1000.0 + 500
    holes = np.delete(row, [7, 12])
    _, worth = searched(holes, longest=1500)
    filled = np.sort(np.append(holes, [7900.0, 12900.0]))
    _, disturbed = searched(filled, longest=1500)
    assert disturbed.max() < worth.max()


def test_random_places_are_worth_less_than_the_inverse_of_how_often_that_happens():
    """Ville's inequality, over 300 lanes of random defects."""
    random = np.random.default_rng(0)
    largest = []
    for _ in range(300):
        pairs, worth = searched(np.sort(random.uniform(0, 100_000, 40)))
        largest.append(float((worth + pairs.log_share).max(initial=-np.inf)))
    for level in (0.5, 0.1):
        assert np.mean(np.array(largest) >= -np.log(level)) <= level


def test_no_defects_are_no_pairs():
    pairs, worth = searched([])
    assert (pairs.tried, len(worth)) == (0, 0)
