import re
from pkgutil import iter_modules

import pytest
import torch

from steel_defect_detection import losses
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.losses.binary_cross_entropy import BinaryCrossEntropy
from steel_defect_detection.losses.cross_entropy import CrossEntropy
from steel_defect_detection.losses.dice import soft_dice
from steel_defect_detection.losses.gradient_penalty import gradient_penalty
from steel_defect_detection.losses.lovasz import lovasz_hinge, lovasz_softmax
from steel_defect_detection.losses.pixel_weighted import PixelWeightedLoss
from steel_defect_detection.losses.shapes import check_labels, check_same

MASK_LOSSES = [
    pytest.param(BinaryCrossEntropy(), id="BinaryCrossEntropy"),
    pytest.param(lambda logits, targets: 1 - soft_dice(logits.sigmoid(), targets), id="soft_dice"),
    pytest.param(lovasz_hinge, id="lovasz_hinge"),
    pytest.param(
        PixelWeightedLoss([5, 7], background_weight=0.5, lovasz_weight=1), id="PixelWeightedLoss"
    ),
]
LABEL_LOSSES = [
    pytest.param(CrossEntropy([5, 7], label_smoothing=0.1), id="CrossEntropy"),
    pytest.param(lovasz_softmax, id="lovasz_softmax"),
]
EXTREMES = [-1e30, -1e4, -200.0, 0.0, 200.0, 1e4, 1e30]


@pytest.mark.parametrize("loss", MASK_LOSSES)
@pytest.mark.parametrize("size", EXTREMES)
@pytest.mark.parametrize("filled", ["empty", "full", "half"])
def test_extreme_logits_have_finite_losses_and_gradients_on_masks(loss, size, filled):
    logits = torch.full((2, 2, 4, 6), size, requires_grad=True)
    targets = torch.full_like(logits, float(filled == "full")).detach()
    if filled == "half":
        targets[..., :3] = 1
    value = loss(logits, targets)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", LABEL_LOSSES)
@pytest.mark.parametrize("size", EXTREMES)
def test_extreme_logits_have_finite_losses_and_gradients_on_labels(loss, size):
    logits = torch.zeros(2, 2, 4, 6)
    logits[:, 0] = size
    logits.requires_grad_()
    value = loss(logits, torch.randint(2, (2, 4, 6), generator=torch.Generator().manual_seed(0)))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("steepness", [0.0, 1e-20, 1.0, 1e4])
def test_extreme_slopes_have_finite_penalties_and_gradients(steepness):
    weight = torch.tensor(steepness, requires_grad=True)
    inputs = torch.ones(2, 3, 4, 6, requires_grad=True)
    value = gradient_penalty((weight * inputs.square()).sum(dim=(1, 2, 3)), inputs)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(weight.grad)


@pytest.mark.parametrize("loss", MASK_LOSSES)
@pytest.mark.parametrize("shape", [(2, 1, 4, 6), (1, 2, 4, 6), (2, 4, 6), (2, 2, 4, 1)], ids=str)
def test_targets_are_never_stretched_to_the_logits(loss, shape):
    with pytest.raises(AnnotationError, match=re.escape("(2, 2, 4, 6)")) as caught:
        loss(torch.zeros(2, 2, 4, 6), torch.zeros(shape))
    assert f"got {shape}" in str(caught.value)


@pytest.mark.parametrize("loss", LABEL_LOSSES)
@pytest.mark.parametrize("shape", [(2, 2, 4, 6), (2, 1, 6), (2, 4)], ids=str)
def test_labels_of_another_shape_are_refused(loss, shape):
    with pytest.raises(AnnotationError, match=re.escape("labels of shape (2, 4, 6)")):
        loss(torch.zeros(2, 2, 4, 6), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("loss", LABEL_LOSSES)
def test_labels_that_are_no_whole_numbers_are_refused(loss):
    with pytest.raises(AnnotationError, match=re.escape("got torch.float32")):
        loss(torch.zeros(2, 2, 4, 6), torch.zeros(2, 4, 6))


@pytest.mark.parametrize("loss", MASK_LOSSES)
def test_a_logit_that_is_no_number_is_not_hidden(loss):
    logits = torch.zeros(1, 2, 4, 6)
    logits[0, 0, 0, 0] = float("nan")
    assert torch.isnan(loss(logits, torch.ones(1, 2, 4, 6)))


@pytest.mark.parametrize("loss", MASK_LOSSES)
def test_bool_masks_are_as_good_as_numbers(loss):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 4, 6, generator=random)
    targets = torch.rand(2, 2, 4, 6, generator=random) < 0.3
    assert loss(logits, targets).item() == loss(logits, targets.float()).item()


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(AnnotationError, match="at least one value"):
        check_same(torch.zeros(0, 3), torch.zeros(0, 3))
    with pytest.raises(AnnotationError, match=re.escape("of shape (0,)")):
        check_labels(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))


def test_every_file_of_losses_is_tried_here():
    tried = {getattr(value, "__module__", None) for value in globals().values()}
    files = {f"{losses.__name__}.{module.name}" for module in iter_modules(losses.__path__)}
    assert files <= tried
