import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from steel_defect_detection.metrics.classification import auroc, bootstrap_interval


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_that_of_scikit_learn_also_with_ties(seed):
    random = np.random.default_rng(seed)
    scores, labels = random.integers(0, 10, 60) / 10, random.random(60) < 0.4
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_auroc_sees_differences_that_float32_does_not():
    scores = np.array([1 - 2e-12, 1 - 1e-12])
    assert auroc(scores, np.array([False, True])) == 1


@pytest.mark.parametrize("label", [True, False])
def test_auroc_of_one_kind_of_image_is_unknown(label):
    assert np.isnan(auroc(np.array([0.1, 0.9]), np.array([label, label])))


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(lambda drawn: float(drawn.mean()), values)
    standard_error = values.std(ddof=1) / np.sqrt(len(values))
    assert (high - low) / standard_error == pytest.approx(2 * 1.96, rel=0.1)
    assert low < values.mean() < high


def test_the_interval_is_the_same_for_the_same_seed():
    values = np.arange(30.0)
    assert bootstrap_interval(np.mean, values, seed=3) == bootstrap_interval(
        np.mean, values, seed=3
    )


def test_draws_without_both_kinds_are_left_out():
    scores, labels = np.array([0.1, 0.2, 0.9]), np.array([False, False, True])
    assert bootstrap_interval(auroc, scores, labels) == (1, 1)
