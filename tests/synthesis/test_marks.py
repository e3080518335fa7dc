"""Marks have the size, the direction and the shape asked for."""

import numpy as np
import pytest

from steel_defect_detection import masks
from steel_defect_detection.synthesis import marks
from steel_defect_detection.synthesis.marks import FILLING, Dimensions

SEEDS = range(12)


def drawn(kind: str, seed: int, **changed: float) -> np.ndarray:
    settings = {"length": 60.0, "width": 8.0, "angle_degrees": 90.0, "count": 1} | changed
    return marks.draw(kind, Dimensions(**settings), np.random.default_rng(seed))


def spread(mark: np.ndarray) -> tuple[float, float]:
    """Direction in degrees and elongation of what is at least half there."""
    rows, columns = np.nonzero(mark > 0.5 * mark.max())
    (small, large), directions = np.linalg.eigh(np.cov(columns, rows) + np.eye(2) / 12)
    return np.degrees(np.arctan2(*directions[::-1, 1])) % 180, np.sqrt(large / small)


@pytest.mark.parametrize("kind", FILLING)
@pytest.mark.parametrize("count", [1, 5])
def test_a_mark_is_an_opacity_in_a_margin(kind, count):
    for seed in SEEDS:
        mark = drawn(kind, seed, count=count)
        assert mark.dtype == np.float32
        assert -1 <= mark.min() <= 0
        assert 0.5 < mark.max() <= 1
        edges = [mark[:2], mark[-2:], mark[:, :2], mark[:, -2:]]
        assert max(np.abs(edge).max() for edge in edges) == 0


@pytest.mark.parametrize("kind", FILLING)
def test_the_same_seed_gives_the_same_mark(kind):
    one, again, other = (drawn(kind, seed, count=3) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", FILLING)
def test_a_single_piece_is_about_as_large_as_asked_for(kind):
    # Three pixels wide, for a crack is a line and its branches come on top of it.
    size = {"length": 60, "width": 3} if kind in ("cracks", "scratches") else {}
    areas = [np.count_nonzero(drawn(kind, seed, **size) > 0.25) for seed in SEEDS]
    asked = 60 * (3 if size else 8) * FILLING[kind]
    assert 0.6 * asked < np.median(areas) < 1.6 * asked


@pytest.mark.parametrize("kind", ["scratches", "inclusions", "cracks"])
@pytest.mark.parametrize("degrees", [0, 35, 90, 150])
def test_long_marks_lie_in_the_direction_asked_for(kind, degrees):
    away = []
    for seed in SEEDS:
        found, elongation = spread(drawn(kind, seed, angle_degrees=degrees, width=4))
        away.append(abs((found - degrees + 90) % 180 - 90))
        assert elongation > 1.5
    assert np.median(away) < 8


@pytest.mark.parametrize("kind", ["pits", "inclusions", "rolled-in scale"])
def test_more_pieces_make_more_components(kind):
    few, many = (
        np.mean(
            [masks.components(drawn(kind, seed, count=count, length=12) > 0.3)[1] for seed in SEEDS]
        )
        for count in (2, 14)
    )
    assert 1 <= few <= 2.5
    assert many > 2.5 * few


def test_pits_are_rounder_than_inclusions():
    rounds = [spread(drawn("pits", seed, length=10, width=9))[1] for seed in SEEDS]
    slivers = [spread(drawn("inclusions", seed, length=60, width=9))[1] for seed in SEEDS]
    assert max(rounds) < 2.5
    assert np.median(slivers) > 4


@pytest.mark.parametrize("kind", ["pits", "scratches"])
def test_some_metal_is_thrown_up_beside_pits_and_scratches(kind):
    assert min(drawn(kind, seed, width=9, count=3).min() for seed in SEEDS) < -0.1


@pytest.mark.parametrize("kind", ["inclusions", "patches", "cracks"])
def test_other_kinds_only_go_one_way(kind):
    assert min(drawn(kind, seed, count=3).min() for seed in SEEDS) == 0


def test_a_crack_is_one_piece_with_its_branches():
    assert {masks.components(drawn("cracks", seed, width=2) > 0.05)[1] for seed in SEEDS} == {1}


@pytest.mark.parametrize("kind", FILLING)
def test_the_smallest_marks_can_be_drawn(kind):
    for seed in SEEDS:
        assert drawn(kind, seed, length=2, width=1, angle_degrees=20).max() > 0.05
