r"""Soft Dice: how well probabilities overlap with masks.

For probabilities p and masks t, with a weight w per pixel::

    dice = (2 sum(w p t) + smooth) / (sum(w p) + sum(w t) + smooth)

and the loss is 1 - dice. An empty prediction of an empty mask scores 1. With
smooth above 0 the loss has a gradient on empty masks too.

Source: Milletari et al., "V-Net", 3DV 2016, https://arxiv.org/abs/1606.04797;
the smoothing term is that of the segmentation_models library.
"""

import torch
from torch import Tensor

from steel_defect_detection.errors import AnnotationError, ConfigError
from steel_defect_detection.losses.shapes import check_same


def soft_dice(
    probabilities: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    smooth: float = 1.0,
    per_image: bool = False,
    per_class: bool = False,
) -> Tensor:
    """Overlap of probabilities and masks.

    Args:
        probabilities: 0 to 1, shape ``(batch, classes, height, width)``.
        targets: 0 or 1, same shape.
        weights: Weight of each pixel, shape ``(batch, 1, height, width)``;
            all 1 by default.
        smooth: Pixels added to both sides of the fraction, 0 or more.
        per_image: Average over images and classes instead of pooling the
            pixels of the whole batch.
        per_class: Pool the pixels of each class over the batch, and average
            over the classes that have a true pixel in it.

    Returns:
        A single number from 0 to 1, 1 for perfect overlap; with
        ``per_class`` also 1, without a gradient, where no class has a pixel.

    Raises:
        AnnotationError: If shapes do not fit.
        ConfigError: If ``smooth`` is negative, or both ways to average are
            asked for.
    """
    check_same(probabilities, targets)
    if per_image and per_class:
        msg = "per_image averages over the classes of each image already: leave per_class out"
        raise ConfigError(msg)
    if not smooth >= 0:
        msg = f"smooth must be 0 or more, got {smooth}"
        raise ConfigError(msg)
    if weights is None:
        weights = torch.ones_like(probabilities[:, :1])
    if weights.shape != probabilities[:, :1].shape:
        msg = (
            f"expected one weight per pixel, shape {tuple(probabilities[:, :1].shape)}, "
            f"got {tuple(weights.shape)}"
        )
        raise AnnotationError(msg)
    dimensions = (2, 3) if per_image else (0, 2, 3) if per_class else (0, 1, 2, 3)
    overlap = (weights * probabilities * targets).sum(dimensions)
    total = (weights * (probabilities + targets)).sum(dimensions)
    # Only without smoothing can both sides be 0; nothing found where nothing is, is perfect.
    nothing = (total + smooth == 0).to(total.dtype)
    dice = (2 * overlap + smooth + nothing) / (total + smooth + nothing)
    if not per_class:
        return dice.mean()
    there = (targets > 0.5).any(dim=3).any(dim=2).any(dim=0)
    return torch.where(there, dice, 0).sum() / there.sum() if there.any() else dice.new_ones(())
