import re

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss
from sklearn.metrics import f1_score

from steel_defect_detection.errors import AnnotationError, ConfigError
from steel_defect_detection.losses.dice import soft_dice


def test_hard_masks_score_as_the_f1_of_their_pixels():
    random = torch.Generator().manual_seed(0)
    predicted, true = (torch.randint(2, (2, 3, 8, 9), generator=random).float() for _ in range(2))
    expected = f1_score(true.flatten(), predicted.flatten())
    assert soft_dice(predicted, true, smooth=0).item() == pytest.approx(expected)


def test_per_image_dice_is_the_mean_of_the_f1_of_each_image_and_class():
    random = torch.Generator().manual_seed(1)
    predicted, true = (torch.randint(2, (2, 3, 8, 9), generator=random).float() for _ in range(2))
    scores = [
        f1_score(true[image, number].flatten(), predicted[image, number].flatten())
        for image in range(2)
        for number in range(3)
    ]
    expected = sum(scores) / len(scores)
    assert soft_dice(predicted, true, smooth=0, per_image=True).item() == pytest.approx(expected)


def test_per_class_dice_is_that_of_another_library():
    random = torch.Generator().manual_seed(2)
    predicted = torch.rand(2, 4, 8, 9, generator=random)
    true = torch.randint(2, (2, 4, 8, 9), generator=random).float()
    # Its smoothing term is added to both halves of the numerator.
    other = DiceLoss("multilabel", from_logits=False, smooth=0.5)(predicted, true).item()
    assert soft_dice(predicted, true, per_class=True).item() == pytest.approx(1 - other)


def test_per_class_dice_leaves_classes_out_that_no_image_shows():
    predicted = torch.full((1, 2, 2, 2), 0.5)
    true = torch.zeros(1, 2, 2, 2)
    true[0, 0, 0] = 1
    # overlap 1, total 2 + 2: (2 * 1 + 1) / (4 + 1); the other class counts for nothing
    assert soft_dice(predicted, true, per_class=True).item() == pytest.approx(3 / 5)
    nothing = torch.zeros(1, 2, 2, 2)
    assert soft_dice(predicted, nothing, per_class=True).item() == 1


def test_a_class_of_one_pixel_pulls_far_more_with_a_dice_of_its_own():
    true = torch.zeros(1, 2, 8, 8)
    true[0, 0] = 1
    true[0, 1, 0, 0] = 1

    def pull(per_class: bool) -> float:
        predicted = torch.full((1, 2, 8, 8), 0.1, requires_grad=True)
        soft_dice(predicted, true, smooth=0, per_class=per_class).backward()
        large, small = (predicted.grad * true).sum((0, 2, 3))
        return (small / large).item()

    assert pull(per_class=True) > 5 * pull(per_class=False)


def test_two_ways_to_average_are_refused():
    with pytest.raises(ConfigError, match="leave per_class out"):
        soft_dice(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), per_image=True, per_class=True)


def test_weights_count_a_pixel_so_many_times():
    predicted = torch.tensor([[[[0.5, 0.5]]]])
    true = torch.tensor([[[[1.0, 0.0]]]])
    weights = torch.tensor([[[[3.0, 1.0]]]])
    # overlap 3 * .5 = 1.5; total 3 * 1.5 + 1 * .5 = 5; (2 * 1.5 + 1) / (5 + 1)
    assert soft_dice(predicted, true, weights=weights).item() == pytest.approx(4 / 6)


def test_nothing_predicted_on_an_empty_mask_is_perfect():
    empty = torch.zeros(1, 1, 4, 4)
    assert soft_dice(empty, empty).item() == 1


def test_empty_masks_have_a_gradient_through_the_smoothing_term():
    probabilities = torch.full((1, 1, 4, 4), 0.5, requires_grad=True)
    (1 - soft_dice(probabilities, torch.zeros(1, 1, 4, 4))).backward()
    # 1 - 1 / (16 p + 1) has the slope 1 / 81 in each of the 16 pixels at p = 1/2
    assert torch.allclose(probabilities.grad, torch.full((1, 1, 4, 4), 1 / 81))


def test_the_gradient_is_that_of_finite_differences():
    random = torch.Generator().manual_seed(2)
    predicted = torch.rand(2, 2, 3, 3, generator=random, dtype=torch.float64, requires_grad=True)
    true = torch.randint(2, (2, 2, 3, 3), generator=random).double()
    weights = torch.rand(2, 1, 3, 3, generator=random, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: soft_dice(p, true, weights=weights), predicted)


def test_without_smoothing_an_empty_pair_is_still_perfect_and_has_a_gradient():
    probabilities = torch.zeros(2, 2, 4, 4, requires_grad=True)
    loss = 1 - soft_dice(probabilities, torch.zeros(2, 2, 4, 4), smooth=0, per_image=True)
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(probabilities.grad).all()


def test_negative_smoothing_is_refused():
    empty = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ConfigError, match="smooth must be 0 or more, got -1"):
        soft_dice(empty, empty, smooth=-1)


def test_weights_of_another_shape_are_refused():
    empty = torch.zeros(2, 1, 2, 2)
    with pytest.raises(AnnotationError, match=re.escape("(2, 1, 2, 2), got (1, 1, 2, 2)")):
        soft_dice(empty, empty, weights=torch.ones(1, 1, 2, 2))
