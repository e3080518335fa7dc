"""Stages: the places in an encoder after which images are half as high and wide again.

What a network sees early is fine (edges, grain, noise), what it sees late is
coarse (which defect it is), so an image that is unlike others is often so at one
stage and not at the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from steel_defect_detection.models.classifier import Classifier

# Keeps the slope of the root finite where a channel is the same all over an image.
_LEAST_VARIANCE = 1e-6


class Watch:
    """Takes note of what the stages of a network give while it runs.

    Args:
        network: A classifier, a segmenter or two heads.
    """

    def __init__(self, network: nn.Module) -> None:
        self._stages = _stages(network)

    @contextmanager
    def __call__(self) -> Iterator[list[Tensor]]:
        """Give a list that fills with the stages' outputs while the network runs.

        Yields:
            Shape ``(batch, channels, height, width)`` each, from fine to coarse.
        """
        seen: list[Tensor] = []

        def note(_layer: nn.Module, _inputs: Any, output: Any) -> None:
            seen.extend([output] if isinstance(output, Tensor) else output[1:])

        hooks = [stage.register_forward_hook(note) for stage in self._stages]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()


def statistics(seen: Sequence[Tensor]) -> Tensor:
    """Mean and standard deviation of each channel over an image, in float32.

    Args:
        seen: Outputs of stages, each of shape ``(batch, channels, height, width)``.

    Returns:
        Shape ``(batch, 2 * channels of all stages)``: of each stage first the
        means, then the deviations.
    """
    found = []
    for stage in seen:
        values = stage.float()
        mean = values.mean(dim=(2, 3), keepdim=True)
        variance = (values - mean).square().mean(dim=(2, 3))
        found += [mean[:, :, 0, 0], (variance + _LEAST_VARIANCE).sqrt()]
    return torch.cat(found, dim=1)


def _stages(network: nn.Module) -> list[nn.Module]:
    if not isinstance(network, Classifier):
        # Encoders of segmentation-models-pytorch give the image and all stages at once.
        return [network.get_submodule("network.encoder")]
    inner: Any = network.network
    return next(find(inner) for family, find in _BY_FAMILY.items() if hasattr(inner, family))


def _of_efficientnet(network: Any) -> list[nn.Module]:
    blocks = list(network._blocks)
    halving = [2 in np.atleast_1d(block._depthwise_conv.stride) for block in blocks]
    ends = [block for block, last in zip(blocks, [*halving[1:], True], strict=True) if last]
    return [*ends, network._bn1]


def _of_resnet(network: Any) -> list[nn.Module]:
    return [network.bn1, network.layer1, network.layer2, network.layer3, network.layer4]


def _of_shufflenet(network: Any) -> list[nn.Module]:
    return [network.conv1, network.stage2, network.stage3, network.stage4, network.conv5]


def _of_sequence(network: Any) -> list[nn.Module]:
    """MobileNetV2 and VGG: layers in a row; the last one before each halving, and the very last."""
    layers = list(network.features)
    ends = [layer for layer, after in pairwise(layers) if _halves(after)]
    return [*ends, layers[-1]]


def _halves(layer: nn.Module) -> bool:
    parts = [part for part in layer.modules() if isinstance(part, nn.Conv2d | nn.MaxPool2d)]
    return any(2 in np.atleast_1d(part.stride) for part in parts)


# By an attribute that only networks of that family have.
_BY_FAMILY: dict[str, Callable[[Any], list[nn.Module]]] = {
    "_blocks": _of_efficientnet,
    "layer4": _of_resnet,
    "stage4": _of_shufflenet,
    "features": _of_sequence,
}
