r"""Binary cross-entropy plus Dice, with a weight per pixel, and Lovász if wanted.

Some classes cover a thousand times more pixels than others, and most pixels
show no defect at all. Each pixel gets the weight of the class it shows (the
largest where classes overlap), or the background's own weight::

    w    = max over the classes there, or the background weight
    bce  = sum(w * mean over classes of BCE(p, t)) / sum(w)
    dice = (2 sum(w p t) + 1) / (sum(w p) + sum(w t) + 1), sums over the batch
    loss = bce + dice_weight * (1 - dice) + lovasz_weight * lovasz

With ``dice_per_class``, dice is that of each class by itself, without pixel
weights, mean over the classes that the batch shows::

    dice = mean over those of (2 sum(p t) + 1) / (sum(p) + sum(t) + 1)

In the pooled one, a class of a few pixels counts for nothing beside a class that
covers half an image: it stays unlearned.

Above, lovasz is the Lovász hinge over the batch, mean over the classes, without
pixel weights (``lovasz.py``).

The cross-entropy is what teaches empty classes: without its smoothing term,
Dice has no gradient where a mask is empty.

Source: the pixel-weighted loss of petrov-pa/Steel_Defect_Detection, which
gives background pixels the weight of class 1; here they have their own.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.dice import soft_dice
from steel_defect_detection.losses.lovasz import lovasz_hinge
from steel_defect_detection.losses.shapes import check_same


class PixelWeightedLoss(nn.Module):
    """Binary cross-entropy plus Dice, weighted per pixel.

    Args:
        class_weights: Weight of a pixel of each class, above 0.
        background_weight: Weight of a pixel without defect, above 0.
        dice_weight: Share of the Dice part, 0 or more.
        lovasz_weight: Share of the Lovász hinge, 0 or more.
        dice_per_class: Whether each class has a Dice of its own.

    Shape:
        logits: ``(batch, classes, height, width)``.
        targets: 0 or 1, same shape.

    Raises:
        ConfigError: If a weight is out of range, or there is not one per class.
        AnnotationError: If logits and targets differ in shape.
    """

    class_weights: Tensor

    def __init__(
        self,
        class_weights: Sequence[float],
        *,
        background_weight: float = 1.0,
        dice_weight: float = 0.25,
        lovasz_weight: float = 0.0,
        dice_per_class: bool = False,
    ) -> None:
        """Check and keep the weights."""
        super().__init__()
        pixels, shares = (*class_weights, background_weight), (dice_weight, lovasz_weight)
        finite = all(math.isfinite(weight) for weight in pixels + shares)
        if not finite or min(pixels) <= 0 or min(shares) < 0:
            msg = (
                "pixel weights must be positive and the weights of Dice and Lovász not negative, "
                f"got {tuple(class_weights)}, background {background_weight}, "
                f"Dice {dice_weight}, Lovász {lovasz_weight}"
            )
            raise ConfigError(msg)
        self.register_buffer(
            "class_weights", torch.tensor(class_weights).view(1, -1, 1, 1), persistent=False
        )
        self.background_weight = background_weight
        self.dice_weight = dice_weight
        self.lovasz_weight = lovasz_weight
        self.dice_per_class = dice_per_class

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a single number."""
        check_same(logits, targets)
        targets = targets.to(logits.dtype)
        weights = self.pixel_weights(targets)
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        loss = (weights[:, 0] * entropy.mean(dim=1)).sum() / weights.sum()
        if self.dice_weight:
            pooled = None if self.dice_per_class else weights
            dice = soft_dice(
                logits.sigmoid(), targets, weights=pooled, per_class=self.dice_per_class
            )
            loss = loss + self.dice_weight * (1 - dice)
        if self.lovasz_weight:
            loss = loss + self.lovasz_weight * lovasz_hinge(logits, targets)
        return loss

    def pixel_weights(self, targets: Tensor) -> Tensor:
        """Weight of each pixel, shape ``(batch, 1, height, width)``."""
        if targets.shape[1] != self.class_weights.shape[1]:
            msg = (
                f"there are {self.class_weights.shape[1]} class weights, but the targets have "
                f"{targets.shape[1]} classes. Give one weight per class"
            )
            raise ConfigError(msg)
        weights = (targets * self.class_weights).amax(dim=1, keepdim=True)
        return torch.where(weights > 0, weights, self.background_weight)
