import re

import numpy as np
import pytest

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.synthesis.coils import BACKGROUNDS, CLASSES, Mark, Plan, simulate


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_each_background_lies_on_the_coil(background):
    sim = simulate(Plan(images=20, defects=301, background=background), 0)
    defects = sim.coil.defects
    assert len(defects) == 301
    assert (sim.mark == -1).all()
    assert defects.along.min() >= 0
    assert defects.along.max() <= sim.coil.length == 32_000
    assert defects.across.min() >= 0
    assert defects.across.max() <= sim.coil.width == 256
    assert (np.diff(defects.along) >= 0).all()
    assert set(defects.class_number.tolist()) <= set(range(1, len(CLASSES) + 1))
    assert (defects.image == np.minimum(defects.along // 1600, 19)).all()


def test_a_mark_lies_at_each_turn():
    mark = Mark(
        period=1000, first=300, across=50, detection=1.0, jitter_along=0.0, jitter_across=0.0
    )
    sim = simulate(Plan(images=10, defects=0, marks=(mark,)), 0)
    assert sim.coil.defects.along.tolist() == [300 + 1000 * turn for turn in range(16)]
    assert (sim.coil.defects.across == 50).all()
    assert (sim.mark == 0).all()


def test_marks_are_missed_shaken_confused_and_end_as_asked():
    mark = Mark(
        period=100,
        first=50,
        across=128,
        class_number=2,
        detection=0.7,
        jitter_along=5.0,
        jitter_across=2.0,
        last=200_050,
        confusion=0.2,
    )
    defects = simulate(Plan(images=250, defects=0, marks=(mark,)), 0).coil.defects
    assert len(defects) == pytest.approx(0.7 * 2000, rel=0.05)
    off = defects.along - 50 - 100 * np.rint((defects.along - 50) / 100)
    assert off.std() == pytest.approx(5, rel=0.1)
    assert defects.across.std() == pytest.approx(2, rel=0.1)
    # One in four of those confused gets its own name again.
    assert (defects.class_number == 2).mean() == pytest.approx(0.85, abs=0.03)
    assert defects.along.max() < 200_100


def test_a_trend_grows_and_edges_are_crowded():
    along = simulate(Plan(defects=2000, background="trend"), 0).coil.defects.along
    assert (along > 200_000).mean() == pytest.approx(0.75, abs=0.04)
    across = simulate(Plan(defects=2000, background="edges"), 0).coil.defects.across
    outer = (across < 12.8) | (across > 256 - 12.8)
    assert outer.mean() == pytest.approx(0.7 + 0.3 * 0.1, abs=0.04)


def test_bursts_lie_closer_together_than_chance_would():
    def middle_gap(background):
        along = simulate(Plan(defects=1000, background=background), 0).coil.defects.along
        return np.median(np.diff(along))

    assert middle_gap("bursty") < 0.6 * middle_gap("uniform")


def test_a_seed_gives_one_coil():
    plan = Plan(images=20, defects=50, background="mixed")
    one, again, other = (simulate(plan, seed).coil.defects.along for seed in (0, 0, 1))
    assert one.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"background": "striped"},
            "background must be one of uniform, bursty, trend, edges, mixed, got 'striped'",
        ),
        (
            {"marks": (Mark(period=0, first=0, across=0),)},
            "period of a mark must be positive, got 0",
        ),
    ],
)
def test_what_no_roll_does_is_refused(settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Plan(**settings)
