r"""Gradient penalty: answers that change as fast as the input does, neither faster nor slower.

For answers a(x) to inputs x_1 to x_n::

    penalty = mean over i of (|| gradient of a at x_i ||_2 - 1)^2

It has two sides. Without it a network may answer alike for all inputs
(gradients near 0), and far from what it has seen, too, or jump at the smallest
change. Its own gradient needs a second differentiation, which makes a step slower.

Layers that look at the whole batch, such as batch normalisation, let other
images of the batch have a share in the gradient; the authors' code passes over
that, and so does this.

Source: equation and weight lambda from van Amersfoort et al., "Uncertainty
Estimation Using a Single Deep Deterministic Neural Network", ICML 2020,
https://arxiv.org/abs/2003.02037, where a(x) is the sum of the kernels; first
used by Gulrajani et al., NeurIPS 2017, https://arxiv.org/abs/1704.00028.
"""

import torch
from torch import Tensor


def gradient_penalty(answers: Tensor, inputs: Tensor) -> Tensor:
    """Penalise gradients whose length is not 1.

    Args:
        answers: What was computed from the inputs, one number per input, shape
            ``(batch,)``.
        inputs: Float, shape ``(batch, ...)``, with ``requires_grad``.

    Returns:
        The penalty, a single number that can itself be differentiated.
    """
    (gradients,) = torch.autograd.grad(answers.sum(), inputs, create_graph=True)
    lengths: Tensor = torch.linalg.vector_norm(gradients.flatten(1), dim=1)
    return (lengths - 1).square().mean()
