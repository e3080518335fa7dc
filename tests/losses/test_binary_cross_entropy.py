import math
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.binary_cross_entropy import (
    BinaryCrossEntropy,
    automatic_pos_weight,
)


def batch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(*shape, generator=random, dtype=torch.float64)
    return logits, torch.randint(2, shape, generator=random).double()


def test_the_loss_is_the_log_loss_of_scikit_learn():
    logits, targets = batch(20, 3)
    expected = log_loss(targets.flatten(), logits.sigmoid().flatten())
    assert BinaryCrossEntropy()(logits, targets).item() == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(20, 3), (2, 3, 4, 5)], ids=["labels", "masks"])
def test_a_positive_weighs_as_much_as_its_class_says(shape):
    logits, targets = batch(*shape)
    weights = np.array([4.0, 1.0, 0.5])
    by_class = np.moveaxis(targets.numpy(), 1, 0).reshape(3, -1)
    truth, given = by_class, np.moveaxis(logits.sigmoid().numpy(), 1, 0).reshape(3, -1)
    # scikit-learn divides by the sum of the weights, torch by the number of examples.
    expected = np.mean(
        [
            log_loss(truth[n], given[n], sample_weight=np.where(truth[n], weights[n], 1))
            * np.where(truth[n], weights[n], 1).mean()
            for n in range(3)
        ]
    )
    assert BinaryCrossEntropy(weights)(logits, targets).item() == pytest.approx(expected)


def test_one_positive_can_be_worked_out_by_hand():
    loss = BinaryCrossEntropy([2.0])(torch.tensor([[math.log(3)]]), torch.tensor([[1.0]]))
    assert loss.item() == pytest.approx(2 * math.log(4 / 3))


def test_automatic_weights_let_both_answers_pull_alike():
    labels = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    logits = torch.zeros(4, 1, requires_grad=True)
    BinaryCrossEntropy(automatic_pos_weight([1], total=4))(logits, labels).backward()
    assert logits.grad.sum().item() == pytest.approx(0)


def test_automatic_weights_are_negatives_per_positive():
    # Images of the Severstal training set per class, of 12,568.
    weights = automatic_pos_weight([897, 247, 5150, 801], total=12568, cap=100)
    assert weights == pytest.approx((11671 / 897, 12321 / 247, 7418 / 5150, 11767 / 801))


def test_automatic_weights_stay_within_the_cap():
    assert automatic_pos_weight([1, 999], total=1000, cap=10) == (10, 0.1)


def test_a_class_that_is_everywhere_or_nowhere_keeps_a_positive_weight():
    weights = automatic_pos_weight([0, 100], total=100)
    assert weights == (1, 1 / 20)
    BinaryCrossEntropy(weights)


def test_the_gradient_is_that_of_finite_differences():
    logits, targets = batch(2, 3, 2, 2)
    loss = BinaryCrossEntropy([2.0, 1.0, 0.5])
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits.requires_grad_())


@pytest.mark.parametrize("weights", [[0.0, 1.0], [-1.0], [math.nan], [math.inf]], ids=str)
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ConfigError, match=re.escape(f"positive numbers, got {tuple(weights)}")):
        BinaryCrossEntropy(weights)


def test_weights_of_other_classes_are_refused():
    with pytest.raises(ConfigError, match="has 1 values, but the logits have 3 classes"):
        BinaryCrossEntropy([2.0])(*batch(4, 3))


@pytest.mark.parametrize(("positives", "total"), [([5], 4), ([-1], 4)])
def test_impossible_counts_are_refused(positives, total):
    with pytest.raises(ConfigError, match="expected counts from 0 to the total of 4"):
        automatic_pos_weight(positives, total=total)


@pytest.mark.parametrize("cap", [0.5, math.nan, math.inf])
def test_an_impossible_cap_is_refused(cap):
    with pytest.raises(ConfigError, match=f"1 or more, got {cap}"):
        automatic_pos_weight([1], total=2, cap=cap)
