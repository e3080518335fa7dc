"""What training a DUQ head adds to a step: a penalty on the gradient, and centroids that follow.

The head itself stands in ``models.duq``.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from steel_defect_detection.losses.gradient_penalty import gradient_penalty
from steel_defect_detection.models.duq import DuqHead
from steel_defect_detection.models.graph import PlainGraph


def head_of(graph: PlainGraph) -> DuqHead:
    """Find the head of a graph that has one.

    Args:
        graph: A classifier with the head ``duq``.
    """
    return next(layer for layer in graph.modules() if isinstance(layer, DuqHead))


def answer_with_penalty(graph: PlainGraph, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of a batch, and the gradient penalty of its kernels.

    The gradient is taken at what the network sees: scaled, normalised images.

    Args:
        graph: A classifier with the head ``duq``.
        images: uint8, shape ``(batch, height, width, 1 or 3)``.
    """
    pixels = graph.preprocess(images).requires_grad_()
    logits: Tensor = graph.network(pixels)
    return logits, gradient_penalty(logits.sigmoid().sum(dim=1), pixels)


def remember(graph: PlainGraph, images: Tensor, labels: Tensor, *, momentum: float) -> None:
    """Move the centroids towards a batch, as the network sees it in evaluation mode.

    Nothing else changes: neither running statistics nor which layers train.

    Args:
        graph: A classifier with the head ``duq``.
        images: uint8, shape ``(batch, height, width, 1 or 3)``.
        labels: 1 where an image shows a class, else 0, shape ``(batch, classes)``.
        momentum: Share of the old centroids that is kept.
    """
    head = head_of(graph)
    features: list[Tensor] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    try:
        with _evaluating(graph), torch.no_grad():
            graph.logits(images)
    finally:
        hook.remove()
    head.remember(features[0], labels, momentum=momentum)


@contextmanager
def _evaluating(graph: PlainGraph) -> Iterator[None]:
    """Put a graph into evaluation mode, and each layer back into the mode it had."""
    training = [layer for layer in graph.modules() if layer.training]
    graph.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True
