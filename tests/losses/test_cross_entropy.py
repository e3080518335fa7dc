import math
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.cross_entropy import CrossEntropy, balanced_weights


def batch(*pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(20, 3, *pixels, generator=random, dtype=torch.float64)
    return logits, torch.randint(3, (20, *pixels), generator=random)


def test_the_loss_is_the_log_loss_of_scikit_learn():
    logits, labels = batch()
    expected = log_loss(labels, logits.softmax(dim=1))
    assert CrossEntropy()(logits, labels).item() == pytest.approx(expected)


def test_weights_count_an_image_so_many_times():
    logits, labels = batch()
    weights = np.array([3.0, 1.0, 0.5])
    expected = log_loss(labels, logits.softmax(dim=1), sample_weight=weights[labels.numpy()])
    assert CrossEntropy(weights)(logits, labels).item() == pytest.approx(expected)


def test_every_pixel_counts_like_an_image():
    logits, labels = batch(4, 5)
    flat = logits.movedim(1, -1).flatten(0, 2)
    expected = log_loss(labels.flatten(), flat.softmax(dim=1))
    assert CrossEntropy()(logits, labels).item() == pytest.approx(expected)


def test_smoothing_spreads_a_share_of_the_target_over_all_classes():
    logits, labels = batch()
    smoothed = torch.nn.functional.one_hot(labels, 3) * 0.7 + 0.1
    expected = -(smoothed * logits.log_softmax(dim=1)).sum(dim=1).mean()
    assert CrossEntropy(label_smoothing=0.3)(logits, labels).item() == pytest.approx(expected)


def test_smoothing_with_weights_can_be_worked_out_by_hand():
    loss = CrossEntropy([2.0, 1.0], label_smoothing=0.2)
    logits = torch.tensor([[math.log(3), 0.0]])  # probabilities 3/4 and 1/4
    # 0.8 * 2 ln(4/3) + 0.1 * (2 ln(4/3) + ln 4), divided by the weight 2 of the label
    expected = (1.8 * math.log(4 / 3) + 0.1 * math.log(4)) / 2
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(expected)


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.repeat([0, 1, 2], [5, 30, 9])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert balanced_weights([5, 30, 9]) == pytest.approx(expected)
    assert balanced_weights(np.bincount(labels)) == pytest.approx(expected)


def test_balanced_classes_pull_alike():
    labels = torch.tensor([0, 1, 1, 1])
    logits = torch.zeros(4, 2, requires_grad=True)
    CrossEntropy(balanced_weights([1, 3]))(logits, labels).backward()
    assert logits.grad.sum(dim=0).tolist() == pytest.approx([0, 0], abs=1e-7)


def test_the_gradient_is_that_of_finite_differences():
    logits, labels = batch()
    loss = CrossEntropy([3.0, 1.0, 0.5], label_smoothing=0.1)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.requires_grad_())


@pytest.mark.parametrize("weights", [[0.0, 1.0], [-1.0], [math.nan]], ids=str)
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ConfigError, match=re.escape(f"positive numbers, got {tuple(weights)}")):
        CrossEntropy(weights)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_impossible_smoothing_is_refused(smoothing):
    with pytest.raises(ConfigError, match=re.escape(f"must lie in [0, 1), got {smoothing}")):
        CrossEntropy(label_smoothing=smoothing)


def test_weights_of_other_classes_are_refused():
    with pytest.raises(ConfigError, match="has 2 values, but the logits have 3 classes"):
        CrossEntropy([1.0, 2.0])(*batch())


@pytest.mark.parametrize("counts", [[], [0, 0], [3, -1]], ids=str)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ConfigError, match=re.escape(f"got {tuple(counts)}")):
        balanced_weights(counts)
