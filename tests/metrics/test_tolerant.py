import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import f1_score, precision_score, recall_score

from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.metrics.tolerant import DEFINITIONS, TolerantScores, near


def row(text: str) -> np.ndarray:
    """One row of pixels, ``#`` being the mask."""
    return np.array([[letter == "#" for letter in text]])


def masks(seed: int, *, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true masks of five images, some empty."""
    random = np.random.default_rng(seed)
    predicted, true = random.random((2, 5, 17, 23)) < share
    predicted[:2], true[1:3] = False, False
    return predicted, true


def scores_of(predicted: np.ndarray, true: np.ndarray, tolerance: float = 2.0) -> TolerantScores:
    scores = TolerantScores(tolerance)
    for one, other in zip(predicted, true, strict=True):
        scores.add(one, other)
    return scores


def near_by_brute_force(mask: np.ndarray, tolerance: float) -> np.ndarray:
    own = np.argwhere(mask)
    places = np.array(list(np.ndindex(mask.shape)))
    squares = ((places[:, None] - own[None]) ** 2).sum(axis=2)
    return (squares <= tolerance**2 + 1e-9).any(axis=1).reshape(mask.shape)


@pytest.mark.parametrize("tolerance", [0, 1, math.sqrt(2), 2, math.sqrt(5), math.sqrt(8), 3, 7.5])
@pytest.mark.parametrize("seed", range(3))
def test_near_is_what_brute_force_finds(tolerance, seed):
    mask = np.random.default_rng(seed).random((19, 26)) < 0.02
    assert np.array_equal(near(mask, tolerance), near_by_brute_force(mask, tolerance))


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (256, 1600)])
def test_near_is_what_scipy_finds(shape):
    mask = np.zeros(shape, dtype=bool)
    mask[shape[0] // 3, shape[1] // 2] = True
    for tolerance in (2, 150):
        expected = distance_transform_edt(~mask) <= tolerance
        assert np.array_equal(near(mask, tolerance), expected)


def test_nothing_is_near_an_empty_mask():
    assert not near(np.zeros((5, 5), dtype=bool), 100).any()


def test_a_crack_two_pixels_off_is_right_and_one_three_pixels_off_is_wrong():
    truth = row("...#......")
    for predicted, expected in [(row(".....#...."), 1), (row("......#..."), 0)]:
        assert scores_of(predicted[None], truth[None]).pooled() == (expected, expected, expected)


def test_precision_and_recall_can_be_worked_out_by_hand():
    # Of 3 predicted pixels 2 are near the crack, of its 4 pixels 3 are near a prediction.
    scores = scores_of(row("#.#.........#")[None], row("..####.......")[None], tolerance=1)
    agreement = scores.pooled()
    assert agreement.precision == pytest.approx(1 / 3)
    assert agreement.recall == pytest.approx(2 / 4)
    assert agreement.f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))


@pytest.mark.parametrize("seed", range(3))
def test_without_tolerance_it_is_the_f1_of_scikit_learn(seed):
    predicted, true = masks(seed, share=0.3)
    expected = [
        score(true.ravel(), predicted.ravel())
        for score in (precision_score, recall_score, f1_score)
    ]
    assert scores_of(predicted, true, 0).pooled() == pytest.approx(expected)


def test_pooled_and_per_image_follow_from_the_distances_of_scipy():
    predicted, true = masks(0)
    far = np.full(true.shape, np.inf)
    to_true, to_predicted = far.copy(), far.copy()
    for number in range(5):
        if true[number].any():
            to_true[number] = distance_transform_edt(~true[number])
        if predicted[number].any():
            to_predicted[number] = distance_transform_edt(~predicted[number])
    precision = (to_true[predicted] <= 2).mean()
    recall = (to_predicted[true] <= 2).mean()
    scores = scores_of(predicted, true)
    assert scores.pooled() == pytest.approx(
        (precision, recall, 2 * precision * recall / (precision + recall))
    )
    full = [3, 4]  # image 0 misses all, 1 is empty in both, 2 is a false alarm
    precisions = [(to_true[n][predicted[n]] <= 2).mean() for n in full]
    recalls = [(to_predicted[n][true[n]] <= 2).mean() for n in full]
    f1 = [2 * p * r / (p + r) for p, r in zip(precisions, recalls, strict=True)]
    expected = (np.mean([*precisions, 0]), np.mean([*recalls, 0]), np.mean([0, 1, 0, *f1]))
    assert scores.per_image() == pytest.approx(expected)


def test_the_four_cases_of_empty_and_not():
    full, empty = np.ones((1, 4, 4), dtype=bool), np.zeros((1, 4, 4), dtype=bool)
    for predicted, true, pooled, per_image in [
        (empty, empty, math.nan, 1),
        (full, empty, 0, 0),
        (empty, full, 0, 0),
        (full, full, 1, 1),
    ]:
        scores = scores_of(predicted, true)
        assert scores.pooled().f1 == pytest.approx(pooled, nan_ok=True)
        assert scores.per_image().f1 == per_image


@given(st.integers(0, 1000), st.floats(0, 6), st.floats(0, 6))
def test_a_larger_tolerance_never_lowers_the_score(seed, one, other):
    predicted, true = masks(seed)
    low, high = (scores_of(predicted, true, value).pooled() for value in sorted((one, other)))
    assert low.precision <= high.precision
    assert low.recall <= high.recall


@given(st.integers(0, 1000))
def test_swapping_prediction_and_truth_swaps_precision_and_recall(seed):
    predicted, true = masks(seed)
    precision, recall, f1 = scores_of(predicted, true).pooled()
    assert scores_of(true, predicted).pooled() == pytest.approx((recall, precision, f1))


def test_the_baselines_are_what_constant_answers_score():
    predicted, true = masks(1)
    summary = scores_of(predicted, true).summary()
    nothing = scores_of(np.zeros_like(true), true).summary()
    everything = scores_of(np.ones_like(true), true).summary()
    assert summary["f1_per_image_all_empty"] == nothing["f1_per_image"]
    assert summary["f1_pooled_all_defect"] == everything["f1_pooled"]
    assert nothing["f1_pooled"] == 0


def test_every_name_of_the_summary_is_defined_and_nothing_else():
    assert set(TolerantScores().summary()) == set(DEFINITIONS)


def test_merging_parts_gives_the_score_of_the_whole():
    predicted, true = masks(2)
    merged = scores_of(predicted[:2], true[:2]).merge(scores_of(predicted[2:], true[2:]))
    assert len(merged) == 5
    assert merged.summary() == scores_of(predicted, true).summary()


def test_without_images_the_summary_is_unknown_rather_than_an_error():
    summary = TolerantScores(1).summary()
    assert (summary.pop("images"), summary.pop("tolerance_pixels")) == (0, 1)
    assert all(np.isnan(value) for value in summary.values())


def test_scores_with_other_tolerances_cannot_be_merged():
    with pytest.raises(ConfigError, match="tolerances 2 and 3"):
        TolerantScores(2).merge(TolerantScores(3))


@pytest.mark.parametrize("tolerance", [-1, math.nan, math.inf])
def test_an_impossible_tolerance_is_refused(tolerance):
    with pytest.raises(ConfigError, match=f"0 or more, got {tolerance}"):
        TolerantScores(tolerance)


@pytest.mark.parametrize(
    ("predicted", "true"), [((3, 4), (4, 3)), ((1, 3, 4), (1, 3, 4)), ((0, 4), (0, 4))]
)
def test_masks_that_do_not_fit_are_refused(predicted, true):
    with pytest.raises(MaskError, match=re.escape(f"got shapes {predicted} and {true}")):
        TolerantScores().add(np.zeros(predicted, dtype=bool), np.zeros(true, dtype=bool))


def test_probabilities_instead_of_masks_are_refused():
    with pytest.raises(MaskError, match="expected bool masks, got float64 and bool"):
        TolerantScores().add(np.zeros((3, 4)), np.zeros((3, 4), dtype=bool))


def test_intervals_are_those_of_the_summary_when_scores_are_computed_anew():
    predicted, true = masks(3)
    found = scores_of(predicted, true).intervals(range(5))
    random = np.random.default_rng(5)
    drawn = [random.integers(0, 5, 5) for _ in range(400)]
    summaries = [scores_of(predicted[rows], true[rows]).summary() for rows in drawn]
    assert len(found) == 6
    for name, ends in found.items():
        again = np.nanquantile([summary[name] for summary in summaries], [0.025, 0.975])
        assert ends == pytest.approx(again, abs=0.06), name
