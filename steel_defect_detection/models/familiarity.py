"""Familiarity: whether an image is like those that a model was fitted to.

A density is put on what the network sees at each of its stages, not only at the
last one: a defect of an unknown class differs late, a blurred or noisy image
early. At every stage each kind of image (a class, or all images) has a Gaussian
with few free directions, the probabilistic principal components of Tipping and
Bishop (1999, https://doi.org/10.1111/1467-9868.00196), over mean and deviation
of each channel. It needs no training and works on a network that was trained
long ago, as in Lee et al., "A Simple Unified Framework for Detecting
Out-of-Distribution Samples", NeurIPS 2018, https://arxiv.org/abs/1807.03888, and
Mukhoti et al., "Deep Deterministic Uncertainty", CVPR 2023,
https://arxiv.org/abs/2102.11582.

For an image, the squared distance to each kind is taken at each stage, its
logarithm is set against those of familiar images that were not fitted to, and
``log(mean(exp(...)))`` over the stages lets the strangest stages speak. The kind
with the least result counts. A logistic curve makes 0 to 1 of it: 1/2 for the
median familiar image.
"""

import math

import torch
from torch import Tensor, nn

from steel_defect_detection.models.config import FamiliarityConfig

PREFIX = "familiarity."
"""How its tensors begin in a checkpoint."""

# Of a squared distance, so that its logarithm is a number.
_LEAST_DISTANCE = 1e-12


class Familiarity(nn.Module):
    """Density over the stages of a network; everything is familiar until it is filled.

    Args:
        config: How many kinds, channels and directions there are.

    Attributes:
        mean: Of each kind, ``(kinds, numbers)``; the numbers are those that
            ``stages.statistics`` gives.
        spread: Divisor of each number, same shape.
        directions: Unit vectors for each stage, ``(kinds, directions, numbers)``;
            zeros where a stage has fewer.
        variances: Along them, ``(kinds, stages, directions)``.
        residue: Variance along every other direction, ``(kinds, stages)``.
        center: Mean log distance of familiar images, ``(stages,)``.
        scale: Standard deviation of those, same shape.
        median: Strangeness of the median familiar image, ``()``.
        steepness: How fast familiarity falls with strangeness, ``()``.
    """

    mean: Tensor
    spread: Tensor
    directions: Tensor
    variances: Tensor
    residue: Tensor
    center: Tensor
    scale: Tensor
    median: Tensor
    steepness: Tensor

    def __init__(self, config: FamiliarityConfig) -> None:
        """Make room for the density."""
        super().__init__()
        self.config = config
        kinds, stages = config.kinds, len(config.channels)
        self._sizes = [2 * count for count in config.channels]
        numbers = sum(self._sizes)
        self.register_buffer("mean", torch.zeros(kinds, numbers))
        self.register_buffer("spread", torch.ones(kinds, numbers))
        self.register_buffer("directions", torch.zeros(kinds, config.directions, numbers))
        self.register_buffer("variances", torch.ones(kinds, stages, config.directions))
        self.register_buffer("residue", torch.ones(kinds, stages))
        self.register_buffer("center", torch.zeros(stages))
        self.register_buffer("scale", torch.ones(stages))
        self.register_buffer("median", torch.full((), 1e6))
        self.register_buffer("steepness", torch.ones(()))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the familiarity of each image, 0 to 1, shape ``(batch,)``.

        Args:
            numbers: What ``stages.statistics`` gives, ``(batch, numbers)``.
        """
        return torch.sigmoid(self.steepness * (self.median - self.strangeness(numbers)))

    def strangeness(self, numbers: Tensor) -> Tensor:
        """Return how unlike the familiar ones each image is; higher is stranger.

        Args:
            numbers: What ``stages.statistics`` gives, ``(batch, numbers)``.

        Returns:
            Shape ``(batch,)``.
        """
        marks = (self.log_distances(numbers) - self.center) / self.scale
        return (marks.logsumexp(dim=2) - math.log(marks.shape[2])).amin(dim=1)

    def log_distances(self, numbers: Tensor) -> Tensor:
        """Return the logarithm of the squared distance to each kind at each stage.

        Args:
            numbers: What ``stages.statistics`` gives, ``(batch, numbers)``.

        Returns:
            Shape ``(batch, kinds, stages)``.
        """
        offsets = (numbers[:, None] - self.mean) / self.spread
        parts = zip(
            torch.split_with_sizes(offsets, self._sizes, dim=2),
            torch.split_with_sizes(self.directions, self._sizes, dim=2),
            strict=True,
        )
        found = []
        # No matrix product: where networks run in bfloat16, products do, and distances need more.
        for stage, (offset, directions) in enumerate(parts):
            along = (offset[:, :, None] * directions).sum(dim=3)
            # Not the difference of two squares, which would lose all digits far away.
            rest = offset - (along[..., None] * directions).sum(dim=2)
            inside = (along.square() / self.variances[:, stage]).sum(dim=2)
            # Divided before it is summed up: OpenVINO 2026 computes a sum and what follows as one,
            # and in a batch it then takes a wrong divisor.
            outside = (rest.square() / self.residue[:, stage, None]).sum(dim=2)
            found.append((inside + outside + _LEAST_DISTANCE).log())
        return torch.stack(found, dim=2)
