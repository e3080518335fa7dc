from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segmentation_models_pytorch.losses import LovaszLoss
from sklearn.metrics import jaccard_score

from steel_defect_detection.losses.lovasz import lovasz_hinge, lovasz_softmax


def slow_extension(errors: np.ndarray, truth: np.ndarray) -> float:
    """Lovász extension as the integral of the Jaccard loss over all error levels."""
    levels = np.unique(np.append(errors, 0))
    total = 0.0
    for low, high in pairwise(levels):
        wrong = errors >= high
        total += (high - low) * wrong.sum() / (wrong | truth).sum()
    return total


def masks(seed: int = 0, *, share: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 2, 4, 5, generator=random, dtype=torch.float64)
    return logits, (torch.rand(logits.shape, generator=random) < share).double()


def label_maps(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 4, 4, 5, generator=random, dtype=torch.float64)
    return logits, torch.randint(4, (3, 4, 5), generator=random)


@given(
    st.lists(
        st.tuples(st.sampled_from([-3.0, -1.5, -1, -0.5, 0, 0.25, 1, 2.5]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_the_hinge_is_the_slow_definition_also_with_ties_and_empty_masks(pixels):
    logits, truth = (np.array(column) for column in zip(*pixels, strict=True))
    expected = slow_extension(np.maximum(0, 1 - logits * np.where(truth, 1, -1)), truth)
    shape = (1, 1, 1, len(pixels))
    loss = lovasz_hinge(
        torch.tensor(logits, dtype=torch.float64).view(shape), torch.tensor(truth).view(shape)
    )
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_softmax_form_is_the_slow_definition_of_each_class(seed):
    logits, labels = label_maps(seed)
    probabilities = logits.softmax(dim=1).movedim(1, 0).flatten(1).numpy()
    truth = np.array([labels.flatten() == number for number in range(4)])
    errors = np.abs(truth - probabilities)
    expected = np.mean([slow_extension(errors[n], truth[n]) for n in range(4)])
    assert lovasz_softmax(logits, labels).item() == pytest.approx(expected)


@pytest.mark.parametrize("per_image", [True, False])
def test_the_hinge_of_each_class_is_that_of_segmentation_models(per_image):
    logits, targets = (values.float() for values in masks())
    reference = LovaszLoss("binary", per_image=per_image)
    # Release 0.5 takes only values that lie side by side in memory.
    parts = [(logits[:, n].contiguous(), targets[:, n].contiguous()) for n in range(2)]
    expected = np.mean([reference(*part).item() for part in parts])
    assert lovasz_hinge(logits, targets, per_image=per_image).item() == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_softmax_form_is_that_of_segmentation_models(seed):
    logits, labels = label_maps(seed)
    labels = labels.clamp(max=2)  # the last class never occurs
    expected = LovaszLoss("multiclass")(logits.float(), labels).item()
    assert lovasz_softmax(logits, labels).item() == pytest.approx(expected)


def test_hard_answers_cost_one_minus_the_jaccard_index():
    random = torch.Generator().manual_seed(0)
    labels, answers = torch.randint(3, (2, 2, 6, 7), generator=random)
    logits = torch.nn.functional.one_hot(answers, 3).movedim(-1, 1) * 100.0
    expected = jaccard_score(labels.flatten(), answers.flatten(), average="macro")
    assert lovasz_softmax(logits, labels).item() == pytest.approx(1 - expected)


def test_one_true_and_one_false_pixel_can_be_worked_out_by_hand():
    logits = torch.tensor([0.5, 0.0]).view(1, 1, 1, 2)
    targets = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    # Errors 0.5 and 1: the false pixel first, 1 * (1 - 1/2); then 0.5 * (1/2 - 0).
    assert lovasz_hinge(logits, targets).item() == pytest.approx(0.75)


def test_an_empty_mask_costs_its_largest_error():
    logits = torch.tensor([-3.0, 0.5, 0.25]).view(1, 1, 1, 3).requires_grad_()
    loss = lovasz_hinge(logits, torch.zeros(1, 1, 1, 3))
    loss.backward()
    assert loss.item() == 1.5
    assert logits.grad.flatten().tolist() == [0, 1, 0]


def test_an_empty_mask_predicted_empty_costs_nothing():
    assert lovasz_hinge(torch.full((2, 2, 3, 3), -9.0), torch.zeros(2, 2, 3, 3)).item() == 0


def test_empty_masks_can_be_left_out():
    logits, targets = masks()
    targets[:, 1] = 0
    kept = lovasz_hinge(logits[:, :1], targets[:, :1])
    assert lovasz_hinge(logits, targets, skip_empty=True).item() == pytest.approx(kept.item())


def test_only_empty_masks_left_out_leave_nothing_to_learn():
    logits = torch.full((1, 2, 3, 3), 1e30, requires_grad=True)
    loss = lovasz_hinge(logits, torch.zeros(1, 2, 3, 3), skip_empty=True)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_the_loss_of_images_is_the_mean_of_the_loss_of_each():
    logits, targets = masks()
    each = [lovasz_hinge(logits[n : n + 1], targets[n : n + 1]).item() for n in range(3)]
    assert lovasz_hinge(logits, targets, per_image=True).item() == pytest.approx(np.mean(each))


@pytest.mark.parametrize("per_image", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_gradient_of_the_hinge_is_that_of_finite_differences(per_image, share):
    logits, targets = masks(share=share)
    assert torch.autograd.gradcheck(
        lambda x: lovasz_hinge(x, targets, per_image=per_image), logits.requires_grad_()
    )


@pytest.mark.parametrize("per_image", [True, False])
def test_the_gradient_of_the_softmax_form_is_that_of_finite_differences(per_image):
    logits, labels = label_maps()
    assert torch.autograd.gradcheck(
        lambda x: lovasz_softmax(x, labels, per_image=per_image), logits.requires_grad_()
    )


def test_half_precision_counts_more_pixels_than_it_could_write_down():
    logits = torch.zeros(1, 1, 300, 300, dtype=torch.float16)  # 90,000 pixels, above 65,504
    targets = torch.ones(1, 1, 300, 300)
    assert lovasz_hinge(logits, targets).item() == pytest.approx(1)


def test_descending_the_loss_finds_the_mask():
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., 2:5, 3:7] = 1
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        lovasz_hinge(logits, truth).backward()
        optimizer.step()
    assert ((logits > 0) == truth.bool()).all()
