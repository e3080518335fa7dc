"""What is planned follows difficulty, sheet and look."""

import numpy as np
import pytest

from steel_defect_detection.synthesis import plans
from steel_defect_detection.synthesis.grain import Grain
from steel_defect_detection.synthesis.looks import Look
from steel_defect_detection.synthesis.marks import FILLING
from steel_defect_detection.synthesis.plans import HABITS, Plan

SHAPE = (200, 200)
STRIPED = Grain(blur=0.8, angle_degrees=30, order=0.6, noise=5)
PLAIN = Grain(blur=0.8, angle_degrees=30, order=0.02, noise=5)
SEEDS = range(60)


def planned(
    kind: str, difficulty: float = 0.5, shape: tuple[int, int] = SHAPE, grain: Grain = PLAIN
) -> list[Plan]:
    return [
        plans.plan(kind, shape, grain, np.random.default_rng(seed), difficulty=difficulty)
        for seed in SEEDS
    ]


def following(look: Look, kind: str, difficulty: float = 0.5, shape=SHAPE) -> list[Plan]:
    return [
        plans.plan_like(kind, shape, look, np.random.default_rng(seed), difficulty=difficulty)
        for seed in SEEDS
    ]


def area(plan: Plan) -> float:
    return plan.dimensions.length * plan.dimensions.width


def outlined(plan: Plan) -> tuple[float, float]:
    """Length and width with the soft edges, which an outline holds as well."""
    return plan.dimensions.length + plans.SOFT_EDGE, plan.dimensions.width + plans.SOFT_EDGE


def away(plan: Plan, degrees: float) -> float:
    return abs((plan.dimensions.angle_degrees - degrees + 90) % 180 - 90)


def look(**changes: tuple[float, ...]) -> Look:
    values = {
        "areas": (300.0,),
        "elongations": (6.0,),
        "angles": (20.0,),
        "contrasts": (-4.0,),
        "counts": (3,),
    }
    return Look(**(values | changes))


def test_every_kind_has_a_habit():
    assert list(HABITS) == list(FILLING)


@pytest.mark.parametrize("kind", FILLING)
def test_harder_defects_are_fainter_and_smaller(kind):
    by_difficulty = [planned(kind, difficulty) for difficulty in (0, 0.25, 0.5, 0.75, 1)]
    contrasts = [np.mean([plan.contrast for plan in group]) for group in by_difficulty]
    areas = [np.mean([area(plan) for plan in group]) for group in by_difficulty]
    assert (np.diff(contrasts) < 0).all()
    assert (np.diff(areas) < 0).all()


@pytest.mark.parametrize("kind", FILLING)
@pytest.mark.parametrize("shape", [(32, 32), (32, 400), (256, 1600)], ids=str)
def test_no_defect_outgrows_its_sheet(kind, shape):
    for plan in planned(kind, 0, shape):
        size = plan.dimensions
        angle = np.radians(size.angle_degrees)
        assert 1 <= size.width <= size.length
        assert size.length * abs(np.sin(angle)) <= 1.1 * shape[0]
        assert size.length * abs(np.cos(angle)) <= 1.1 * shape[1]


def test_defects_grow_with_the_sheet():
    small, usual, large = (
        np.mean([area(plan) for plan in planned("patches", shape=(side, side))])
        for side in (64, 200, 300)
    )
    assert small < usual < large


@pytest.mark.parametrize("kind", ["scratches", "inclusions", "rolled-in scale"])
def test_long_defects_follow_the_rolling_that_shows(kind):
    assert np.median([away(plan, 30) for plan in planned(kind, grain=STRIPED)]) < 8
    # Without stripes the angle means nothing: down or across.
    plain = planned(kind, grain=PLAIN)
    assert np.median([min(away(plan, 0), away(plan, 90)) for plan in plain]) < 8


def test_cracks_run_anywhere():
    angles = [plan.dimensions.angle_degrees for plan in planned("cracks", grain=STRIPED)]
    assert np.histogram(angles, bins=4, range=(0, 180))[0].min() >= 5


def test_scratches_are_dark_or_bright_and_pits_dark():
    assert {plan.dark for plan in planned("scratches")} == {True, False}
    assert {plan.dark for plan in planned("pits")} == {True}


@pytest.mark.parametrize("kind", FILLING)
def test_a_plan_follows_the_look(kind):
    found = following(look(), kind)
    lengths, widths = np.array([outlined(plan) for plan in found]).T
    assert np.median(lengths * widths * FILLING[kind]) == pytest.approx(300, rel=0.1)
    assert np.median(lengths / widths) == pytest.approx(6, rel=0.1)
    assert np.median([plan.contrast for plan in found]) == pytest.approx(4, rel=0.1)
    assert max(away(plan, 20) for plan in found) < 12
    assert {plan.dark for plan in found} == {True}
    assert {plan.dimensions.count for plan in found} == {min(3, HABITS[kind].most)}


def test_measures_of_one_component_stay_together():
    two = look(
        areas=(100.0, 900.0),
        elongations=(1.0, 9.0),
        angles=(0.0, 90.0),
        contrasts=(-3.0, 8.0),
    )
    for plan in following(two, "inclusions"):
        small = area(plan) * FILLING["inclusions"] < 300
        assert plan.dark == small == (plan.contrast < 5)


def test_difficulty_shifts_what_the_look_says():
    easy, same, hard = (following(look(), "inclusions", difficulty) for difficulty in (0, 0.5, 1))
    for one, other in ((easy, same), (same, hard)):
        assert all(
            a.contrast > b.contrast and area(a) > area(b) for a, b in zip(one, other, strict=True)
        )


def test_a_look_from_large_images_is_cut_to_a_small_sheet():
    for plan in following(look(areas=(90_000.0,)), "patches", shape=(40, 60)):
        assert plan.dimensions.length <= 1.1 * np.hypot(40, 60)
        assert plan.dimensions.width <= 40


def test_a_smaller_plan_is_as_strong_as_before():
    plan = planned("rolled-in scale", 0)[0]
    less = plans.smaller(plan, 0.6)
    assert less.dimensions.length == pytest.approx(0.6 * plan.dimensions.length)
    assert less.dimensions.width < plan.dimensions.width
    assert 1 <= less.dimensions.count < plan.dimensions.count
    assert (less.contrast, less.dark) == (plan.contrast, plan.dark)


@pytest.mark.parametrize("kind", FILLING)
def test_no_defect_is_so_small_that_it_vanishes(kind):
    tiny = [*planned(kind, 1, (32, 32)), *following(look(areas=(10.0,)), kind, 1)]
    for plan in tiny:
        for shrunk in (plan, plans.smaller(plan, 0.05)):
            assert area(shrunk) >= 15.99
            assert shrunk.dimensions.length >= shrunk.dimensions.width >= 1
