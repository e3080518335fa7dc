import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from sklearn.metrics import f1_score

from steel_defect_detection.errors import MaskError
from steel_defect_detection.metrics.dice import DiceScores


def stacks(seed: int, images: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true masks, about half of the pairs empty on either side."""
    random = np.random.default_rng(seed)
    predicted, true = (random.random((images, 4, 8, 10)) < 0.3 for _ in range(2))
    predicted[random.random((images, 4)) < 0.5] = False
    true[random.random((images, 4)) < 0.5] = False
    return predicted, true


def scores_of(predicted: np.ndarray, true: np.ndarray) -> DiceScores:
    scores = DiceScores(predicted.shape[1])
    for one, other in zip(predicted, true, strict=True):
        scores.add(one, other)
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_kaggle_dice_is_that_of_segmentation_models(seed):
    predicted, true = stacks(seed)
    counts = smp.metrics.get_stats(
        torch.from_numpy(predicted).long(), torch.from_numpy(true).long(), mode="multilabel"
    )
    expected = smp.metrics.f1_score(*counts, reduction="macro-imagewise", zero_division=1)
    assert scores_of(predicted, true).kaggle() == pytest.approx(expected.item())


def test_the_four_cases_of_empty_and_not():
    full, empty = np.ones((1, 2, 2), dtype=bool), np.zeros((1, 2, 2), dtype=bool)
    cases = [(empty, empty, 1), (full, empty, 0), (empty, full, 0), (full, full, 1)]
    for predicted, true, expected in cases:
        assert scores_of(predicted[None], true[None]).kaggle() == expected


def test_all_empty_is_what_predicting_nothing_scores():
    predicted, true = stacks(0)
    nothing = scores_of(np.zeros_like(predicted), true).kaggle()
    assert scores_of(predicted, true).all_empty() == nothing


@pytest.mark.parametrize("seed", range(3))
def test_dice_on_defects_is_the_mean_f1_of_the_pairs_that_occur(seed):
    predicted, true = stacks(seed)
    expected = np.mean(
        [
            f1_score(true[place].ravel(), predicted[place].ravel(), zero_division=0)
            for place in np.ndindex(true.shape[:2])
            if true[place].any()
        ]
    )
    assert scores_of(predicted, true).on_defects() == pytest.approx(expected)


def test_pooled_dice_is_one_f1_over_all_images():
    predicted, true = stacks(1)
    expected = [f1_score(true[:, n].ravel(), predicted[:, n].ravel()) for n in range(4)]
    assert scores_of(predicted, true).pooled() == pytest.approx(expected)


def test_pooled_dice_of_a_class_that_never_occurs_is_unknown():
    empty = np.zeros((1, 2, 4, 4), dtype=bool)
    assert np.isnan(scores_of(empty, empty).pooled()).all()


def test_without_images_there_is_no_score():
    assert np.isnan(DiceScores(4).kaggle())
    assert np.isnan(DiceScores(4).on_defects())
    assert len(DiceScores(4)) == 0


def test_masks_of_different_shape_are_refused():
    with pytest.raises(MaskError, match=r"expected two stacks of 4 masks, got shapes"):
        DiceScores(4).add(np.zeros((4, 2, 2), dtype=bool), np.zeros((4, 2, 3), dtype=bool))
