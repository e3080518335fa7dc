import numpy as np
import pytest

from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.ranking import auroc


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap.interval(lambda drawn: float(drawn.mean()), values)
    standard_error = values.std(ddof=1) / np.sqrt(len(values))
    assert (high - low) / standard_error == pytest.approx(2 * 1.96, rel=0.1)
    assert low < values.mean() < high


def test_the_interval_is_the_same_for_the_same_seed():
    values = np.arange(30.0)
    assert bootstrap.interval(np.mean, values, seed=3) == bootstrap.interval(
        np.mean, values, seed=3
    )


def test_draws_without_both_kinds_are_left_out():
    scores, labels = np.array([0.1, 0.2, 0.9]), np.array([False, False, True])
    assert bootstrap.interval(auroc, scores, labels) == (1, 1)


def test_an_interval_without_any_defined_draw_is_unknown():
    clean = np.zeros(5, dtype=bool)
    assert np.isnan(bootstrap.interval(auroc, np.arange(5.0), clean, rounds=20)).all()
    assert np.isnan(bootstrap.interval(auroc, np.zeros(0), clean[:0])).all()
