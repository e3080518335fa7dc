import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.metrics.dice import DEFINITIONS, DiceScores


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


@pytest.mark.parametrize("seed", range(3))
def test_iou_on_defects_is_the_mean_jaccard_index_of_the_pairs_that_occur(seed):
    predicted, true = stacks(seed)
    expected = np.mean(
        [
            jaccard_score(true[place].ravel(), predicted[place].ravel(), zero_division=0)
            for place in np.ndindex(true.shape[:2])
            if true[place].any()
        ]
    )
    assert scores_of(predicted, true).iou_on_defects() == pytest.approx(expected)


def test_pooled_iou_is_one_jaccard_index_over_all_images():
    predicted, true = stacks(1)
    expected = [jaccard_score(true[:, n].ravel(), predicted[:, n].ravel()) for n in range(4)]
    assert scores_of(predicted, true).pooled_iou() == pytest.approx(expected)


@pytest.mark.parametrize("background", [True, False])
def test_miou_is_the_macro_jaccard_index_of_the_label_maps(background):
    predicted, true = np.random.default_rng(0).integers(0, 5, (2, 6, 8, 10))
    scores = DiceScores(4)
    for one, other in zip(predicted, true, strict=True):
        scores.add(*(label_map == np.arange(1, 5)[:, None, None] for label_map in (one, other)))
    labels = range(5) if background else range(1, 5)
    expected = jaccard_score(true.ravel(), predicted.ravel(), labels=labels, average="macro")
    assert scores.miou(background=background) == pytest.approx(expected)


def test_a_class_that_neither_occurs_nor_was_predicted_is_left_out_of_miou():
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[0, 0] = True
    assert scores_of(mask[None], mask[None]).miou() == 1


def test_all_empty_miou_is_what_predicting_nothing_scores():
    predicted, true = stacks(0)
    nothing = scores_of(np.zeros_like(predicted), true)
    expected = scores_of(predicted, true).miou_with_background_all_empty()
    assert expected == nothing.miou(background=True)
    assert expected > nothing.miou() == 0


def test_every_class_has_the_scores_that_it_would_have_alone():
    predicted, true = stacks(2)
    per_class = scores_of(predicted, true).summary("abcd")["per_class"]
    for number, name in enumerate("abcd"):
        alone = scores_of(predicted[:, [number]], true[:, [number]])
        assert per_class[name] == pytest.approx(
            {
                "images_with_class": true[:, number].any(axis=(1, 2)).sum(),
                "dice_kaggle": alone.kaggle(),
                "dice_all_empty": alone.all_empty(),
                "dice_on_defects": alone.on_defects(),
                "dice_pooled": alone.pooled()[0],
                "iou_on_defects": alone.iou_on_defects(),
                "iou_pooled": alone.miou(),
            }
        )


def test_the_summary_sets_every_measure_beside_its_baseline():
    predicted, true = stacks(3)
    scores = scores_of(predicted, true)
    summary = scores.summary("abcd")
    nothing = scores_of(np.zeros_like(predicted), true).summary("abcd")
    assert summary["dice_kaggle"] == scores.kaggle()
    assert summary["dice_all_empty"] == nothing["dice_kaggle"]
    assert summary["miou_with_background_all_empty"] == nothing["miou_with_background"]
    assert [nothing[name] for name in ("dice_on_defects", "iou_on_defects", "miou")] == [0, 0, 0]


def test_every_name_of_the_summary_is_defined_and_nothing_else():
    summary = DiceScores(1).summary(["a"])
    assert {*summary, *summary["per_class"]["a"]} == set(DEFINITIONS)


@given(st.permutations(range(6)), st.integers(0, 6))
def test_merging_parts_in_any_order_gives_the_score_of_the_whole(order, border):
    predicted, true = stacks(4)
    first, second = (list(part) for part in (order[:border], order[border:]))
    parts = [scores_of(predicted[part], true[part]) for part in (first, second)]
    merged, whole = parts[0].merge(parts[1]).summary("abcd"), scores_of(predicted, true)
    expected = whole.summary("abcd")
    assert merged.pop("per_class")["a"] == pytest.approx(expected.pop("per_class")["a"])
    assert merged == pytest.approx(expected)


def test_merging_changes_neither_part():
    predicted, true = stacks(0)
    one, other = scores_of(predicted, true), scores_of(predicted[:1], true[:1])
    assert len(one.merge(other)) == 7
    assert (len(one), len(other)) == (6, 1)


def test_scores_of_other_classes_cannot_be_merged():
    with pytest.raises(ConfigError, match="cannot merge scores of 4 and 3 classes"):
        DiceScores(4).merge(DiceScores(3))


def test_without_images_the_summary_is_unknown_rather_than_an_error():
    summary = DiceScores(2).summary("ab")
    assert summary.pop("images") == 0
    assert summary.pop("per_class")["a"].pop("images_with_class") == 0
    assert all(np.isnan(value) for value in summary.values())


@pytest.mark.parametrize("names", ["a", "aa", "abc"])
def test_names_that_do_not_fit_the_classes_are_refused(names):
    with pytest.raises(ConfigError, match="expected 2 different class names, got a"):
        DiceScores(2).summary(names)


def test_probabilities_instead_of_masks_are_refused():
    probabilities, truth = np.full((1, 2, 2), 0.7), np.ones((1, 2, 2), dtype=bool)
    with pytest.raises(MaskError, match="expected bool masks, got float64 and bool"):
        DiceScores(1).add(probabilities, truth)


def test_scores_of_no_class_are_refused():
    with pytest.raises(ConfigError, match="at least one class, got 0"):
        DiceScores(0)


@pytest.mark.parametrize(
    "shape", [(4, 2, 3), (3, 2, 2), (4, 4), (4, 0, 2)], ids=["wider", "classes", "flat", "nothing"]
)
def test_masks_that_do_not_fit_are_refused(shape):
    other = (4, 2, 2) if shape == (4, 2, 3) else shape
    with pytest.raises(MaskError, match=r"expected two stacks of 4 masks, got shapes"):
        DiceScores(4).add(np.zeros(other, dtype=bool), np.zeros(shape, dtype=bool))


def test_masks_of_different_shape_are_refused():
    with pytest.raises(MaskError, match=r"expected two stacks of 4 masks, got shapes"):
        DiceScores(4).add(np.zeros((4, 2, 2), dtype=bool), np.zeros((4, 2, 3), dtype=bool))


def test_intervals_are_those_of_the_summary_when_scores_are_computed_anew():
    predicted, true = stacks(0)
    found = scores_of(predicted, true).intervals(range(6))

    def again(name):
        draws = []
        random = np.random.default_rng(5)
        for _ in range(400):
            rows = random.integers(0, 6, 6)
            draws.append(scores_of(predicted[rows], true[rows]).summary("abcd")[name])
        return np.nanquantile(draws, [0.025, 0.975])

    assert set(found) == {
        "dice_kaggle",
        "dice_on_defects",
        "iou_on_defects",
        "miou",
        "miou_with_background",
    }
    for name, ends in found.items():
        assert ends == pytest.approx(again(name), abs=0.05), name


def test_images_that_are_all_alike_leave_no_doubt():
    predicted, true = (stack[3:4].repeat(5, axis=0) for stack in stacks(0))
    scores = scores_of(predicted, true)
    summary = scores.summary("abcd")
    for name, ends in scores.intervals(range(5)).items():
        assert ends == pytest.approx([summary[name]] * 2)
