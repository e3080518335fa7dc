r"""Binary cross-entropy plus Dice, with a weight per pixel.

Some classes cover a thousand times more pixels than others, and most pixels
show no defect at all. Each pixel gets the weight of the class it shows (the
largest where classes overlap), or the background's own weight:

    w    = max over the classes there, or the background weight
    bce  = sum(w * mean over classes of BCE(p, t)) / sum(w)
    dice = (2 sum(w p t) + 1) / (sum(w p) + sum(w t) + 1), sums over the batch
    loss = bce + dice_weight * (1 - dice)

The cross-entropy is what teaches empty classes: without its smoothing term,
Dice has no gradient where a mask is empty.

Source: the pixel-weighted loss of petrov-pa/Steel_Defect_Detection, which
gives background pixels the weight of class 1; here they have their own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.dice import soft_dice


class PixelWeightedLoss(nn.Module):
    """Binary cross-entropy plus Dice, weighted per pixel.

    Args:
        class_weights: Weight of a pixel of each class, above 0.
        background_weight: Weight of a pixel without defect, above 0.
        dice_weight: Share of the Dice part, 0 or more.

    Shape:
        logits: ``(batch, classes, height, width)``.
        targets: 0 or 1, same shape.

    Raises:
        ConfigError: If a weight is out of range.
    """

    class_weights: Tensor

    def __init__(
        self,
        class_weights: Sequence[float],
        *,
        background_weight: float = 1.0,
        dice_weight: float = 0.25,
    ) -> None:
        """Check and keep the weights."""
        super().__init__()
        if min([*class_weights, background_weight]) <= 0 or dice_weight < 0:
            msg = (
                "pixel weights must be positive and the Dice weight not negative, got "
                f"{tuple(class_weights)}, background {background_weight}, Dice {dice_weight}"
            )
            raise ConfigError(msg)
        self.register_buffer(
            "class_weights", torch.tensor(class_weights).view(1, -1, 1, 1), persistent=False
        )
        self.background_weight = background_weight
        self.dice_weight = dice_weight

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a single number."""
        weights = self.pixel_weights(targets)
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        entropy = (weights[:, 0] * entropy.mean(dim=1)).sum() / weights.sum()
        if self.dice_weight == 0:
            return entropy
        dice = soft_dice(logits.sigmoid(), targets, weights=weights)
        return entropy + self.dice_weight * (1 - dice)

    def pixel_weights(self, targets: Tensor) -> Tensor:
        """Weight of each pixel, shape ``(batch, 1, height, width)``."""
        weights = (targets * self.class_weights).amax(dim=1, keepdim=True)
        return torch.where(weights > 0, weights, self.background_weight)
