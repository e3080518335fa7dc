import math
import re

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.pixel_weighted import PixelWeightedLoss


def one_row(*classes: list[float]) -> torch.Tensor:
    """Two pixels side by side, shape ``(1, classes, 1, 2)``."""
    return torch.tensor(classes).view(1, len(classes), 1, 2)


def test_pixels_take_the_weight_of_their_class_or_the_background():
    targets = one_row([1.0, 0.0], [0.0, 0.0])
    weights = PixelWeightedLoss([5, 7], background_weight=0.5).pixel_weights(targets)
    assert weights.flatten().tolist() == [5, 0.5]


def test_where_classes_overlap_the_larger_weight_counts():
    targets = one_row([1.0, 0.0], [1.0, 0.0])
    assert PixelWeightedLoss([5, 7]).pixel_weights(targets).flatten().tolist() == [7, 1]


def test_cross_entropy_is_the_weighted_mean_over_pixels():
    loss = PixelWeightedLoss([3], background_weight=1, dice_weight=0)
    logits = one_row([math.log(3), 0.0])  # probabilities 3/4 and 1/2
    # Entropies are ln(4/3) with weight 3, and ln(2) with weight 1.
    expected = (3 * math.log(4 / 3) + math.log(2)) / 4
    assert loss(logits, one_row([1.0, 0.0])).item() == pytest.approx(expected)


def test_dice_is_added_with_its_share():
    logits, targets = one_row([math.log(3), 0.0]), one_row([1.0, 0.0])
    entropy = PixelWeightedLoss([3], dice_weight=0)(logits, targets)
    both = PixelWeightedLoss([3], dice_weight=0.5)(logits, targets)
    # overlap 3 * .75 = 2.25; total 3 * 1.75 + 1 * .5 = 5.75; dice (4.5 + 1) / (5.75 + 1)
    assert (both - entropy).item() == pytest.approx(0.5 * (1 - 5.5 / 6.75))


def test_equal_weights_give_plain_cross_entropy():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 4, generator=random)
    targets = torch.randint(2, (2, 3, 5, 4), generator=random).float()
    loss = PixelWeightedLoss([2, 2, 2], background_weight=2, dice_weight=0)
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    assert loss(logits, targets).item() == pytest.approx(plain.item())


def test_images_without_any_defect_still_teach():
    logits = torch.zeros(1, 2, 4, 4, requires_grad=True)
    PixelWeightedLoss([1, 1])(logits, torch.zeros(1, 2, 4, 4)).backward()
    assert (logits.grad > 0).all()


def test_the_gradient_is_that_of_finite_differences():
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 2, 3, 3, generator=random, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(2, (2, 2, 3, 3), generator=random).double()
    loss = PixelWeightedLoss([2, 5], background_weight=0.5).double()
    assert torch.autograd.gradcheck(lambda values: loss(values, targets), logits)


@pytest.mark.parametrize(
    ("weights", "settings"),
    [
        ([0, 1], {}),
        ([math.nan, 1], {}),
        ([1, 1], {"background_weight": 0}),
        ([1, 1], {"dice_weight": -1}),
        ([1, 1], {"lovasz_weight": -1}),
        ([1, 1], {"lovasz_weight": math.inf}),
    ],
)
def test_impossible_weights_are_refused(weights, settings):
    with pytest.raises(ConfigError, match=re.escape("pixel weights must be positive")):
        PixelWeightedLoss(weights, **settings)


def test_the_lovasz_hinge_is_added_with_its_share():
    logits, targets = one_row([0.5, 0.0]), one_row([1.0, 0.0])
    without = PixelWeightedLoss([3])(logits, targets)
    both = PixelWeightedLoss([3], lovasz_weight=2)(logits, targets)
    # Errors 0.5 and 1: the false pixel first, 1 * (1 - 1/2); then 0.5 * (1/2 - 0).
    assert (both - without).item() == pytest.approx(2 * 0.75)


def test_each_class_has_a_dice_of_its_own_without_pixel_weights():
    random = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 4, 4, generator=random)
    targets = torch.randint(2, (2, 3, 4, 4), generator=random).float()
    entropy = PixelWeightedLoss([2, 5, 1], dice_weight=0)(logits, targets)
    both = PixelWeightedLoss([2, 5, 1], dice_weight=0.5, dice_per_class=True)(logits, targets)
    other = DiceLoss("multilabel", smooth=0.5)(logits, targets)
    assert (both - entropy).item() == pytest.approx(0.5 * other.item(), rel=1e-5)


def test_weights_of_other_classes_are_refused():
    with pytest.raises(ConfigError, match="there are 1 class weights, but the targets have 2"):
        PixelWeightedLoss([3])(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4))
