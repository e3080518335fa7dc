"""Explanation: which pixels of an image speak for what a model says of it."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ImageError

Method = Literal["integrated-gradients", "saliency", "deeplift", "guided-backprop", "grad-cam"]

METHODS: tuple[Method, ...] = get_args(Method)
"""Ways to explain, by the names of their authors."""

COMPLETE: tuple[Method, ...] = ("integrated-gradients", "deeplift")
"""Those whose pixels add up to what the target gained over a grey image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """The one number that is explained: a logit, or the sum of those of several pixels.

    Args:
        number: Number of the class among the model's, from 0.
        class_name: Name of the class.
        text: What the number is, in words.
        probability: Probability of the class; for a segmenter that of its
            likeliest pixel.
        pixels: Whose logits are added up, bool, shape ``(height, width)``; None
            for a classifier.
        label_map: What a segmenter outlines, uint8, shape ``(height, width)``.
    """

    number: int
    class_name: str
    text: str
    probability: float
    pixels: NDArray[np.bool_] | None = None
    label_map: NDArray[np.uint8] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Which pixels of an image speak for what a model says of it.

    Args:
        source: File the image was read from, or a name for an array.
        method: How it was computed.
        target: What is explained.
        value: The target's value for the image.
        attribution: What each pixel does for the target, float32, shape
            ``(height, width)``: above 0 it speaks for the class, below 0
            against it. In logits for integrated gradients and DeepLift, in
            logits per grey level for saliency and guided backpropagation.
        gap: How far the pixels' sum is from what the target gained over a grey
            image, as a share of that gain; None for methods without such a law.

    Raises:
        ImageError: If the attribution is no finite float32 map.
    """

    source: str
    method: Method
    target: Target
    value: float
    attribution: NDArray[np.float32]
    gap: float | None = None

    def __post_init__(self) -> None:
        """Check the map."""
        values = self.attribution
        if values.dtype != np.float32 or values.ndim != 2 or not np.isfinite(values).all():
            msg = (
                f"{self.source}: expected a finite float32 attribution (height, width), "
                f"got {values.dtype} of shape {values.shape}"
            )
            raise ImageError(msg)
