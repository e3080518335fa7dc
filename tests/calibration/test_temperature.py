import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from steel_defect_detection.calibration import temperature

RANDOM = np.random.default_rng(0)


def drawn(probabilities: np.ndarray) -> np.ndarray:
    """Draw what happens with these probabilities: one class a row, as bools."""
    lots = RANDOM.random(len(probabilities))[:, None]
    chosen = (probabilities.cumsum(axis=1) < lots).sum(axis=1)
    return np.arange(probabilities.shape[1]) == chosen[:, None]


@pytest.mark.parametrize("factor", [3.0, 1.0, 0.5])
def test_logits_that_were_multiplied_are_found_to_be_that_much_too_hot(factor):
    true = RANDOM.normal(0, 2, (20_000, 4))
    shown = drawn(softmax(true, axis=1))
    found = temperature.fit(factor * true[None], shown, exclusive=True)
    assert found == pytest.approx(factor, rel=0.05)
    shown = RANDOM.random(true.shape) < expit(true)
    assert temperature.fit(factor * true[None], shown, exclusive=False) == pytest.approx(
        factor, rel=0.05
    )


def test_no_other_temperature_makes_the_truth_more_likely():
    logits = RANDOM.normal(0, 3, (2000, 3))
    shown = drawn(softmax(logits / 1.7, axis=1))
    found = temperature.fit(logits[None], shown, exclusive=True)
    losses = {
        heat: log_loss(shown.argmax(axis=1), softmax(logits / heat, axis=1), labels=range(3))
        for heat in (found, found / 1.2, found * 1.2, 1.0)
    }
    assert min(losses, key=losses.get) == found


@pytest.mark.parametrize("exclusive", [True, False])
def test_of_copies_the_averaged_probabilities_are_fitted(exclusive):
    logits = RANDOM.normal(0, 4, (2, 3000, 3))
    squash = softmax if exclusive else lambda values, axis: expit(values)
    true = squash(logits / 2.5, axis=2).mean(axis=0)
    shown = drawn(true) if exclusive else RANDOM.random(true.shape) < true
    found = temperature.fit(logits, shown, exclusive=exclusive)
    assert found == pytest.approx(2.5, rel=0.15)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_network_that_is_always_right_is_not_made_infinitely_sure(exclusive):
    shown = np.eye(2, dtype=np.bool_)[np.arange(20) % 2]
    logits = np.where(shown, 4.0, -4.0)
    found = temperature.fit(logits[None], shown, exclusive=exclusive)
    assert found > temperature.COLDEST
    squash = softmax if exclusive else lambda values, axis: expit(values)
    surest = squash(logits / found, axis=1).max()
    # Of 10 or 20 images none was wrong: by the rule of succession about one in 11 or 21 may be.
    assert 0.9 < surest < 0.97


def test_a_network_that_is_always_wrong_becomes_as_unsure_as_can_be():
    shown = np.eye(2, dtype=np.bool_)[np.arange(20) % 2]
    assert temperature.fit(
        np.where(shown, -4.0, 4.0)[None], shown, exclusive=True
    ) == pytest.approx(temperature.HOTTEST, rel=0.01)


def test_the_truth_of_three_images_is_softened_as_after_two_more():
    # By hand: of 3 images 2 show it, (2 + 1) / (2 + 2) and 1 / (1 + 2).
    shown = np.array([[True], [True], [False]])
    assert np.allclose(temperature.softened(shown, exclusive=False)[:, 0], [3 / 4, 3 / 4, 1 / 3])
    # Of 3 images and 3 classes: 1 / 5 is missing to certainty, half of it for each other class.
    assert np.allclose(
        temperature.softened(np.eye(3, dtype=np.bool_), exclusive=True), 0.1 + 0.7 * np.eye(3)
    )


shares = st.floats(0.01, 0.99)
heats = st.floats(temperature.COLDEST, temperature.HOTTEST)


@given(logit=st.floats(-30, 30), threshold=shares, heat=heats)
def test_a_moved_threshold_decides_as_before(logit, threshold, heat):
    border = np.log(threshold / (1 - threshold))
    if abs(logit - border) > 1e-6:
        after = expit(logit / heat) >= temperature.moved(threshold, heat)
        assert after == (expit(logit) >= threshold) or abs(logit / heat) > 30


@given(threshold=shares, heat=heats)
def test_a_threshold_that_is_moved_there_and_back_is_the_old_one(threshold, heat):
    moved = temperature.moved(threshold, heat)
    if 1e-9 < moved < 1 - 1e-9:
        assert temperature.moved(moved, 1 / heat) == pytest.approx(threshold, abs=1e-4)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_never_even_and_always_stay_what_they_are(threshold):
    assert temperature.moved(threshold, 3.0) == threshold


@given(logits=st.lists(st.floats(-10, 10), min_size=2, max_size=5, unique=True), heat=heats)
def test_the_order_of_classes_never_changes(logits, heat):
    values = np.array([logits])
    after = softmax(values / heat, axis=1)
    order = np.argsort(logits)
    assert (np.diff(after[0, order]) >= 0).all()
