r"""Cross-entropy: exactly one class is right.

For logits x, p = softmax(x) and the right class y, with class weights w and
label smoothing s over C classes::

    loss = - (1 - s) w_y log(p_y) - s / C * sum over classes c of w_c log(p_c)

added over images (or pixels) and divided by the sum of their w_y.

Right where every image, or pixel, has one label. Where it may have several or
none, see ``binary_cross_entropy``.

Source: the loss is ``torch.nn.functional.cross_entropy``; label smoothing is
from Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016,
https://arxiv.org/abs/1512.00567.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.shapes import check_labels


class CrossEntropy(nn.Module):
    """Cross-entropy with class weights and label smoothing.

    Args:
        class_weights: Weight of each class, above 0; all 1 by default.
            ``balanced_weights`` computes them from counts.
        label_smoothing: Share of the target that is spread evenly over all
            classes, 0 to below 1.

    Shape:
        logits: ``(batch, classes)``, or ``(batch, classes, height, width)``.
        labels: Number of the right class, int64, ``(batch,)``, or ``(batch,
            height, width)``.

    Raises:
        ConfigError: If a setting is out of range, or there is not one weight
            per class.
        AnnotationError: If the labels do not fit the logits.
    """

    class_weights: Tensor | None

    def __init__(
        self, class_weights: Sequence[float] | None = None, *, label_smoothing: float = 0.0
    ) -> None:
        """Check and keep the settings."""
        super().__init__()
        if class_weights is not None and not all(
            math.isfinite(weight) and weight > 0 for weight in class_weights
        ):
            msg = f"class_weights must be positive numbers, got {tuple(class_weights)}"
            raise ConfigError(msg)
        if not 0 <= label_smoothing < 1:
            msg = f"label_smoothing must lie in [0, 1), got {label_smoothing}"
            raise ConfigError(msg)
        weights = (
            None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        )
        self.register_buffer("class_weights", weights, persistent=False)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a single number."""
        check_labels(logits, labels)
        weights = self.class_weights
        if weights is not None and len(weights) != logits.shape[1]:
            msg = (
                f"class_weights has {len(weights)} values, but the logits have "
                f"{logits.shape[1]} classes. Give one weight per class"
            )
            raise ConfigError(msg)
        return functional.cross_entropy(
            logits,
            labels,
            weight=None if weights is None else weights.to(logits.dtype),
            label_smoothing=self.label_smoothing,
        )


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """Weigh classes so that each counts alike: total / (classes * count).

    Args:
        counts: How many examples (images, or pixels) each class has.

    Returns:
        One weight per class. A class that never occurs is not counted among
        the classes and gets 1, because there is nothing to weigh.

    Raises:
        ConfigError: If a count is negative or all are 0.

    Source: King and Zeng, "Logistic Regression in Rare Events Data", 2001;
    the rule that scikit-learn calls "balanced".

    Example:
        >>> balanced_weights([30, 10, 0])
        (0.6666666666666666, 2.0, 1.0)
    """
    if len(counts) == 0 or min(counts) < 0 or not any(counts):
        msg = f"expected how many examples each class has, at least one, got {tuple(counts)}"
        raise ConfigError(msg)
    total, present = sum(counts), sum(count > 0 for count in counts)
    return tuple(float(total / (present * count)) if count else 1.0 for count in counts)
