r"""Binary cross-entropy: each class is a question of its own, yes or no.

For a logit x with p = 1 / (1 + exp(-x)) and a target t::

    loss = - w t log(p) - (1 - t) log(1 - p), mean over everything

where w, the class's ``pos_weight``, makes one example that shows the class
count as much as w that do not. It is computed from logits, so that no
logarithm of 0 occurs.

Right where an image or a pixel may belong to several classes or to none. For
classes of which exactly one is right, see ``cross_entropy``.

Source: the loss is ``torch.nn.functional.binary_cross_entropy_with_logits``;
the rule negatives / positives is that of its documentation,
https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.shapes import check_same


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy with a weight for the positives of each class.

    Args:
        pos_weight: Weight of a positive of each class, above 0; all 1 by
            default. ``automatic_pos_weight`` computes it from counts.

    Shape:
        logits: ``(batch, classes)``, or ``(batch, classes, height, width)``.
        targets: 0 to 1, same shape.

    Raises:
        ConfigError: If a weight is not a positive number, or there is not
            one per class.
        AnnotationError: If logits and targets differ in shape.
    """

    pos_weight: Tensor | None

    def __init__(self, pos_weight: Sequence[float] | None = None) -> None:
        """Check and keep the weights."""
        super().__init__()
        if pos_weight is not None and not all(
            math.isfinite(weight) and weight > 0 for weight in pos_weight
        ):
            msg = f"pos_weight must be positive numbers, got {tuple(pos_weight)}"
            raise ConfigError(msg)
        weights = None if pos_weight is None else torch.tensor(pos_weight, dtype=torch.float32)
        self.register_buffer("pos_weight", weights, persistent=False)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a single number."""
        check_same(logits, targets)
        return functional.binary_cross_entropy_with_logits(
            logits, targets.to(logits.dtype), pos_weight=self._weights(logits)
        )

    def _weights(self, logits: Tensor) -> Tensor | None:
        """Bring the weights into a shape that follows the classes of the logits."""
        if self.pos_weight is None:
            return None
        if len(self.pos_weight) != logits.shape[1]:
            msg = (
                f"pos_weight has {len(self.pos_weight)} values, but the logits have "
                f"{logits.shape[1]} classes. Give one weight per class"
            )
            raise ConfigError(msg)
        return self.pos_weight.view(-1, *[1] * (logits.ndim - 2))


def automatic_pos_weight(
    positives: Sequence[int], total: int, *, cap: float = 20.0
) -> tuple[float, ...]:
    """Weigh positives so that both answers count alike: negatives / positives.

    Args:
        positives: How many examples (images, or pixels) show each class.
        total: How many examples there are.
        cap: Weights stay between 1 / cap and cap. Without it, the few
            examples of a very rare class decide every step they occur in, and
            a class that is everywhere would weigh nothing. That it is 20 is a
            choice.

    Returns:
        One weight per class; 1 for a class that never occurs, because there
        is nothing to weigh.

    Raises:
        ConfigError: If the counts contradict each other, or the cap is below 1.

    Example:
        >>> automatic_pos_weight([20, 50, 1, 0], total=100)
        (4.0, 1.0, 20.0, 1.0)
    """
    if not (math.isfinite(cap) and cap >= 1):
        msg = f"cap must be a number of 1 or more, got {cap}"
        raise ConfigError(msg)
    if any(not 0 <= count <= total for count in positives):
        msg = f"expected counts from 0 to the total of {total}, got {tuple(positives)}"
        raise ConfigError(msg)
    return tuple(
        float(min(max((total - count) / count, 1 / cap), cap)) if count else 1.0
        for count in positives
    )
