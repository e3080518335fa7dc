import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from steel_defect_detection.errors import AnnotationError, InferenceError
from steel_defect_detection.metrics.calibration import expected_calibration_error, reliability


def test_four_cases_by_hand():
    said = np.array([0.1, 0.3, 0.62, 0.98])
    happened = np.array([False, True, True, True])
    # Two bins: 0.2 was said and 0.5 was so; 0.8 was said and 1 was so.
    assert expected_calibration_error(said, happened, bins=2) == pytest.approx(0.25)
    found = reliability(said, happened, bins=2)
    assert np.allclose(found.said, [0.2, 0.8])
    assert np.allclose(found.happened, [0.5, 1.0])
    assert found.counts.tolist() == [2, 2]


def test_an_empty_bin_is_unknown_and_weighs_nothing():
    said, happened = np.array([0.05, 0.15]), np.array([False, False])
    found = reliability(said, happened)
    assert found.counts.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert np.isnan(found.said[2:]).all()
    assert np.isnan(found.happened[2:]).all()
    assert expected_calibration_error(said, happened) == pytest.approx(0.1)


def test_a_border_belongs_to_the_upper_bin_and_1_to_the_last():
    said = np.array([0.0, 0.5, 1.0])
    assert reliability(said, said > 0.2, bins=4).counts.tolist() == [1, 0, 1, 1]


def test_a_column_of_a_table_is_measured_without_a_warning():
    table = np.array([[0.1, 0.9], [0.3, 0.7], [0.62, 0.38], [0.98, 0.02]])
    happened = np.array([[False, True], [True, False], [True, False], [True, False]])
    found = expected_calibration_error(table[:, 0], happened[:, 0], bins=2)
    assert found == pytest.approx(0.25)


def test_without_cases_nothing_is_known():
    nothing = np.zeros(0)
    assert np.isnan(expected_calibration_error(nothing, nothing.astype(np.bool_)))
    assert reliability(nothing, nothing.astype(np.bool_)).counts.sum() == 0


@given(seed=st.integers(0, 2**32 - 1), bins=st.sampled_from([1, 3, 10]))
def test_bins_are_those_of_scikit_learn(seed, bins):
    random = np.random.default_rng(seed)
    said = random.uniform(0.001, 0.999, 300)
    happened = random.random(300) < said**2
    found = reliability(said, happened, bins=bins)
    full = found.counts > 0
    share, mean = calibration_curve(happened, said, n_bins=bins)
    assert np.allclose(found.happened[full], share)
    assert np.allclose(found.said[full], mean)
    # Guo et al. (2017), equation 3, by those means.
    error = np.average(np.abs(share - mean), weights=found.counts[full])
    assert expected_calibration_error(said, happened, bins=bins) == pytest.approx(error, abs=1e-6)


def test_what_happens_as_often_as_was_said_has_hardly_an_error():
    random = np.random.default_rng(0)
    said = random.random(100_000)
    assert expected_calibration_error(said, random.random(100_000) < said) < 0.01
    assert expected_calibration_error(said, random.random(100_000) < 0.5) == pytest.approx(
        0.25, abs=0.01
    )


@pytest.mark.parametrize("measure", [expected_calibration_error, reliability])
@pytest.mark.parametrize("shape", [(2,), (3, 1)], ids=str)
def test_one_outcome_per_probability_is_expected(measure, shape):
    message = f"expected one outcome per probability, got shapes {shape} and (3,)"
    with pytest.raises(AnnotationError, match=re.escape(message)):
        measure(np.full(3, 0.5), np.zeros(shape, dtype=np.bool_))


@pytest.mark.parametrize("measure", [expected_calibration_error, reliability])
def test_what_is_no_number_is_refused(measure):
    with pytest.raises(InferenceError, match="expected numbers as scores, but 1 of 2 are NaN"):
        measure(np.array([0.5, np.nan]), np.zeros(2, dtype=np.bool_))


@pytest.mark.parametrize("measure", [expected_calibration_error, reliability])
@pytest.mark.parametrize("values", [[5.0, 0.5], [-0.2, 0.5], [50.0, 99.0]])
def test_logits_and_percentages_are_refused(measure, values):
    with pytest.raises(InferenceError, match="expected probabilities, 0 to 1, got values from"):
        measure(np.array(values), np.array([True, False]))


def test_what_rounding_leaves_above_1_is_1():
    happened = np.array([True, False])
    above = expected_calibration_error(np.array([1 + 1e-6, 0.0]), happened)
    assert above == expected_calibration_error(np.array([1.0, 0.0]), happened) == 0
