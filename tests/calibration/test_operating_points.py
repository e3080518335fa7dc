import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steel_defect_detection.calibration import Aim, Decisions
from steel_defect_detection.checkpoints import Thresholds
from steel_defect_detection.errors import ConfigError

SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
TRUTH = np.array([False, False, True, False, True, True])


def decisions(scores=SCORES, truth=TRUTH, **fields) -> Decisions:
    settings = {"name": "any defect", "setting": "gate"} | fields
    return Decisions(scores=np.asarray(scores, float), defective=np.asarray(truth), **settings)


def recall(threshold: float, of: Decisions) -> float:
    return float((of.scores[of.defective] >= threshold).mean())


@pytest.mark.parametrize(
    ("target", "threshold"),
    [
        # Defects score 0.3, 0.6 and 0.8.
        pytest.param(1.0, 0.25, id="all three"),
        pytest.param(0.9, 0.25, id="two of three are too few"),
        pytest.param(2 / 3, 0.5, id="two of three"),
        pytest.param(0.5, 0.5, id="one of three is too few"),
        pytest.param(0.1, 0.7, id="one of three"),
    ],
)
def test_the_highest_threshold_that_reaches_a_recall_is_chosen(target, threshold):
    assert decisions().choose(Aim(target_recall=target)) == pytest.approx(threshold)


@pytest.mark.parametrize(
    ("reject", "accept", "threshold", "cost"),
    [
        # Stopping the image of 0.4 costs a reject, passing the defect of 0.3 an accept.
        pytest.param(1, 10, 0.25, 1 / 6, id="a missed defect is dear"),
        pytest.param(10, 1, 0.5, 1 / 6, id="a stopped image is dear"),
    ],
)
def test_the_cheapest_threshold_is_chosen(reject, accept, threshold, cost):
    aim = Aim(false_reject_cost=reject, false_accept_cost=accept)
    found = decisions().choose(aim)
    assert found == pytest.approx(threshold)
    assert decisions().costs(aim, np.array([found])) == pytest.approx(cost)


def test_of_equally_cheap_thresholds_the_middle_one_is_chosen():
    # Equal costs: 0.25 stops one good image, 0.35 does so and misses one, 0.5 misses one.
    one = decisions([0.1, 0.3, 0.5, 0.7], [False, True, False, True])
    aim = Aim(false_reject_cost=1, false_accept_cost=1)
    costs = one.costs(aim, one.candidates())
    assert np.allclose(costs, np.array([2, 1, 2, 1, 2]) / 4)
    assert one.choose(aim) == pytest.approx(0.6)


@given(data=st.data(), target=st.floats(0.01, 1), costs=st.tuples(*[st.floats(0.1, 100)] * 2))
def test_no_threshold_does_better(data, target, costs):
    count = data.draw(st.integers(2, 12))
    scores = data.draw(
        arrays.arrays(float, count, elements=st.integers(0, 20).map(lambda n: n / 20))
    )
    truth = data.draw(arrays.arrays(bool, count))
    one = decisions(scores, truth)
    chosen = one.choose(Aim(target_recall=target))
    if truth.all() or not truth.any():
        assert chosen is None
        return
    assert recall(chosen, one) >= target - 1e-9
    higher = [value for value in one.candidates() if value > chosen]
    assert all(recall(value, one) < target for value in higher)
    aim = Aim(false_reject_cost=costs[0], false_accept_cost=costs[1])
    grid = np.linspace(0, 1, 401)
    cheapest = one.costs(aim, np.array([one.choose(aim)]))[0]
    by_hand = [
        (
            costs[0] * ((scores >= value) & ~truth).sum()
            + costs[1] * ((scores < value) & truth).sum()
        )
        / count
        for value in grid
    ]
    assert cheapest <= min(by_hand) + 1e-9
    assert np.allclose(one.costs(aim, grid), by_hand)


@pytest.mark.parametrize(
    ("truth", "reason"), [(True, "all images show it"), (False, "no image shows it")]
)
def test_nothing_is_chosen_by_images_of_one_kind(truth, reason):
    one = decisions(truth=np.full(6, truth))
    assert one.choose(Aim(target_recall=0.9)) is None
    assert one.choose(Aim(false_reject_cost=1, false_accept_cost=1)) is None
    assert one.why_not(Aim(target_recall=0.9)) == reason


def test_pixels_that_are_never_found_are_not_all_called_defects():
    one = decisions([0.0, 0.5, 0.0], [True, True, False], setting="pixels")
    assert one.choose(Aim(target_recall=0.9)) is None
    assert one.why_not(Aim(target_recall=0.9)) == "it is not found often enough at any threshold"
    assert one.choose(Aim(target_recall=0.5)) == pytest.approx(0.25)
    all_found = decisions([0.4, 0.5, 0.6], [True, True, False], setting="pixels")
    assert 0 < all_found.choose(Aim(target_recall=1)) < 0.4


@given(seed=st.integers(0, 1000), wanted=st.floats(0, 1))
def test_the_nearest_threshold_changes_the_fewest_decisions(seed, wanted):
    random = np.random.default_rng(seed)
    one = decisions(random.integers(0, 11, 12) / 10, random.random(12) < 0.5)
    called = random.random(12) < 0.5

    def changed(threshold):
        return int(((one.scores >= threshold) != called).sum())

    found = one.nearest(called, wanted)
    assert changed(found) == min(changed(value) for value in (wanted, *np.linspace(0, 1, 101)))
    same = one.scores >= wanted
    assert one.nearest(same, wanted) == wanted


def test_a_threshold_stops_good_images_and_passes_defects():
    found = decisions().at(0.35)
    assert (found["good"], found["defective"]) == (3, 3)
    assert (found["overkill"], found["underkill"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))


def test_an_interval_is_that_of_wilson():
    # 15 of 50: 0.1910 to 0.4375 (Brown, Cai and DasGupta's formula by hand, z = 1.959964).
    scores, truth = np.r_[np.ones(15), np.zeros(35)], np.zeros(50, dtype=np.bool_)
    found = decisions(scores, truth).at(0.5)
    z, share, count = 1.959964, 0.3, 50
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * 0.7 / count + z * z / (4 * count**2)) ** 0.5
    assert found["overkill_interval"] == pytest.approx([middle - half, middle + half], abs=1e-6)
    assert found["overkill_interval"] == pytest.approx([0.1910, 0.4375], abs=1e-4)
    assert found["underkill"] is found["underkill_interval"] is None


def test_a_decision_knows_its_threshold():
    limits = Thresholds(gate=0.3, classes=(0.1, 0.2), pixels=(0.6, 0.7), min_areas=(0, 0))
    assert decisions().threshold(limits) == 0.3
    assert decisions(setting="classes", place=1).threshold(limits) == 0.2
    assert decisions(setting="pixels", place=0).threshold(limits) == 0.6
    assert decisions(setting="defect").threshold(limits) is None


def test_without_a_threshold_the_likeliest_class_decides():
    one = decisions(setting="defect", unset=np.array([True, False, False, False, True, True]))
    found = one.at(None)
    assert found["threshold"] is None
    assert (found["overkill"], found["underkill"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    with pytest.raises(ConfigError, match="any defect is decided by a threshold, got None"):
        decisions().at(None)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give a target recall or two costs, one of the two"),
        (
            {"target_recall": 0.9, "false_reject_cost": 1, "false_accept_cost": 1},
            "give a target recall or two costs, one of the two",
        ),
        (
            {"false_reject_cost": 1},
            "a false reject and a false accept each need their cost: give both",
        ),
        (
            {"target_recall": 0.9, "false_accept_cost": 1},
            "a false reject and a false accept each need their cost: give both",
        ),
        (
            {"target_recall": 95},
            "target recall must be above 0 and at most 1, such as 0.95, got 95",
        ),
        ({"target_recall": 0}, "target recall must be above 0 and at most 1, such as 0.95, got 0"),
        (
            {"target_recall": float("nan")},
            "target recall must be above 0 and at most 1, such as 0.95, got nan",
        ),
        (
            {"false_reject_cost": 0, "false_accept_cost": 1},
            "costs must be positive numbers, got 0 and 1",
        ),
        (
            {"false_reject_cost": 1, "false_accept_cost": float("inf")},
            "costs must be positive numbers, got 1 and inf",
        ),
    ],
)
def test_an_aim_is_one_thing_in_range(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Aim(**values)


def test_an_aim_is_said_in_words():
    assert str(Aim(target_recall=0.95)) == "a recall of 0.95"
    said = str(Aim(false_reject_cost=1, false_accept_cost=20.5))
    assert said == "the least cost, 1 per false reject and 20.5 per false accept"


def test_a_threshold_that_no_defect_reaches_finds_nothing():
    one = decisions([0.2, 0.4, 0.9], [True, True, False])
    assert one.finds(0.4)
    assert not one.finds(0.41)
    cheap = Aim(false_reject_cost=100, false_accept_cost=1)
    assert not one.finds(one.choose(cheap))
    assert one.why_not(cheap) == "it would cost least never to say it"
