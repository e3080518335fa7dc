r"""Lovász losses: intersection over union, made smooth enough to descend.

For a class with true pixels T, let M be the set of pixels that are judged
wrongly. The Jaccard loss is a function of that set::

    delta(M) = |M| / |T or M| = 1 - intersection / union,    delta(nothing) = 0

Its Lovász extension takes an error m_i >= 0 per pixel instead of a set. With
the pixels sorted by falling error, M_i being the first i of them::

    loss = sum over i of m_i (delta(M_i) - delta(M_i-1))

which is delta itself where errors are 0 or 1. The two losses differ in the
errors. For one mask per class, t in {0, 1} and logits x (``lovasz_hinge``)::

    m = max(0, 1 - x (2 t - 1))

and for exclusive classes, p = softmax(x) (``lovasz_softmax``), ``m = |t - p|``.

Where a class has no true pixel, the loss is the largest error alone: only the
boldest false pixel is corrected in each step. Add cross-entropy where most
masks are empty.

Source: Berman, Rannen Triki and Blaschko, "The Lovász-Softmax loss", CVPR
2018, https://arxiv.org/abs/1705.08790; Yu and Blaschko, "The Lovász Hinge",
https://arxiv.org/abs/1512.07797.
"""

import torch
from torch import Tensor
from torch.nn import functional

from steel_defect_detection.losses.shapes import check_labels, check_same


def lovasz_hinge(
    logits: Tensor, targets: Tensor, *, per_image: bool = False, skip_empty: bool = False
) -> Tensor:
    """Lovász hinge of every class, mean over the classes.

    Args:
        logits: Shape ``(batch, classes, height, width)``.
        targets: 0 or 1, same shape.
        per_image: Take each image by itself and average, instead of pooling
            the pixels of the batch.
        skip_empty: Average only over classes (or, per image, over pairs of
            image and class) that have a true pixel; 0 if none has.

    Returns:
        A single number, 0 or more; 0 once every logit is beyond 1 on the
        right side.

    Raises:
        AnnotationError: If the shapes differ.
    """
    check_same(logits, targets)
    logits, truth = _at_least_float32(logits), targets > 0.5
    errors = torch.where(truth, 1 - logits, 1 + logits).relu()
    return _extension(_rows(errors, per_image), _rows(truth, per_image), skip_empty)


def lovasz_softmax(
    logits: Tensor, labels: Tensor, *, per_image: bool = False, skip_empty: bool = True
) -> Tensor:
    """Lovász-softmax of exclusive classes, mean over the classes.

    Args:
        logits: Shape ``(batch, classes, height, width)``.
        labels: Number of the right class, int64, shape ``(batch, height,
            width)``. A background is a class like the others.
        per_image: Take each image by itself and average, instead of pooling
            the pixels of the batch.
        skip_empty: Average only over classes that occur, as the authors do.

    Returns:
        A single number, 0 to 1.

    Raises:
        AnnotationError: If the labels do not fit the logits.
    """
    check_labels(logits, labels)
    probabilities = _at_least_float32(logits).softmax(dim=1)
    truth = functional.one_hot(labels, logits.shape[1]).movedim(-1, 1).bool()
    errors = torch.where(truth, 1 - probabilities, probabilities)
    return _extension(_rows(errors, per_image), _rows(truth, per_image), skip_empty)


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _rows(values: Tensor, per_image: bool) -> Tensor:
    """Put the pixels that are judged together into one row."""
    if per_image:
        return values.flatten(2).flatten(0, 1)
    return values.movedim(1, 0).flatten(1)


def _extension(errors: Tensor, truth: Tensor, skip_empty: bool) -> Tensor:
    """Lovász extension of the Jaccard loss of each row, mean over the rows."""
    losses = torch.stack([_of_row(*row) for row in zip(errors, truth, strict=True)])
    counted = truth.any(dim=1) if skip_empty else torch.ones_like(losses)
    return (losses * counted).sum() / counted.sum().clamp(min=1)


def _of_row(errors: Tensor, truth: Tensor) -> Tensor:
    """Lovász extension of the Jaccard loss of one row of pixels."""
    if not truth.any():
        return errors.max()
    # Pixels without an error add nothing, and sorting is what takes time. What is no number stays.
    wrong = ~(errors <= 0)
    errors, order = errors[wrong].sort(descending=True)
    steps = _jaccard_steps(truth[wrong][order], truth.sum(), errors.dtype)
    return (errors * steps).sum()


def _jaccard_steps(truth: Tensor, true_pixels: Tensor, dtype: torch.dtype) -> Tensor:
    """How much the Jaccard loss grows when one pixel after the other turns wrong.

    A true pixel leaves the intersection: the step is 1 / union. Any other
    joins the union: the step is intersection / (union (union - 1)). Counting
    in whole numbers and dividing once is exact where differences of fractions
    would cancel.
    """
    intersection = true_pixels - truth.cumsum(dim=0)
    union = true_pixels + (~truth).cumsum(dim=0)
    numerator = torch.where(truth, 1, intersection).to(dtype)
    return numerator / torch.where(truth, union, union * (union - 1)).to(dtype)
