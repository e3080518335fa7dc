import numpy as np
import pytest
from scipy import stats

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


def means(values):
    return lambda rows: {"mean": float(values[rows].mean())}


def width(groups, values) -> float:
    low, high = bootstrap.intervals(means(values), groups)["mean"]
    return high - low


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(1).normal(size=50)
    other = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=5000,
        method="percentile",
        random_state=np.random.default_rng(2),
    ).confidence_interval
    low, high = bootstrap.intervals(means(values), range(50), rounds=5000)["mean"]
    assert low == pytest.approx(other.low, abs=0.03)
    assert high == pytest.approx(other.high, abs=0.03)


def test_copies_of_one_group_tell_no_more_than_one_image():
    values = np.random.default_rng(0).normal(size=100)
    copied, groups = np.repeat(values, 9), np.repeat(np.arange(100), 9)
    assert width(groups.tolist(), copied) == pytest.approx(width(range(100), values))
    # Taken for images of their own, nine times as many give a third of the width.
    assert width(range(900), copied) == pytest.approx(width(range(100), values) / 3, rel=0.1)


def test_groups_are_drawn_whole_whatever_their_order_and_size():
    groups = ["b", "a", "b", "c", "a", "b"]

    def whole(rows):
        drawn = [groups[row] for row in rows]
        assert drawn.count("b") % 3 == drawn.count("a") % 2 == 0
        assert drawn.count("b") / 3 + drawn.count("a") / 2 + drawn.count("c") == 3
        assert {row for row in rows if groups[row] == "b"} in ({0, 2, 5}, set())
        return {"images": float(len(rows))}

    assert bootstrap.intervals(whole, groups, level=1)["images"] == (3, 9)


def test_without_images_there_are_no_intervals():
    assert bootstrap.intervals(lambda rows: {"mean": 1.0}, []) == {}
