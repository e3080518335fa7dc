import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from steel_defect_detection.errors import AnnotationError, InferenceError
from steel_defect_detection.metrics.ranking import auroc, average_precision, refuse_nan


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


@pytest.mark.parametrize("seed", range(3))
def test_scores_of_any_range_are_ranked_and_not_squashed(seed):
    random = np.random.default_rng(seed)
    scores, labels = random.normal(0, 300, 60), random.random(60) < 0.4
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(scores, labels) == pytest.approx(
        average_precision_score(labels, scores)
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20))
def test_average_precision_is_that_of_scikit_learn_also_with_ties(rows):
    scores, labels = (np.array(column) for column in zip(*rows, strict=True))
    if labels.any():
        expected = average_precision_score(labels, scores / 5)
        assert average_precision(scores / 5, labels) == pytest.approx(expected)
    else:
        assert np.isnan(average_precision(scores / 5, labels))


def test_one_score_more_than_labels_is_refused():
    with pytest.raises(AnnotationError, match=re.escape("got shapes (2,) and (3,)")):
        auroc(np.zeros(3), np.zeros(2, dtype=bool))


@pytest.mark.parametrize("measure", [auroc, average_precision])
def test_scores_that_are_no_numbers_are_refused(measure):
    scores = np.array([0.1, np.nan, np.inf, np.nan])
    with pytest.raises(InferenceError, match="expected numbers as scores, but 2 of 4 are NaN"):
        measure(scores, np.array([True, False, True, False]))
    refuse_nan(scores[[0, 2]])


@pytest.mark.parametrize("measure", [auroc, average_precision])
def test_scores_in_place_of_labels_are_refused(measure):
    scores, labels = np.array([0.2, 0.7, 0.9, 0.4]), np.array([False, True, True, False])
    with pytest.raises(AnnotationError, match=r"got float64\. Did scores change places\?"):
        measure(labels, scores)
    with pytest.raises(AnnotationError, match="got int64 with other values"):
        measure(scores, labels * 2)
    assert measure(scores, labels.astype(int)) == measure(scores, labels)
