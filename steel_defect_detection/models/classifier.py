"""Classifiers: encoders with a head that says what a whole image shows.

EfficientNets (Tan and Le, ICML 2019, https://arxiv.org/abs/1905.11946) come
from the package efficientnet-pytorch; ResNets (He et al., CVPR 2016,
https://arxiv.org/abs/1512.03385), MobileNetV2 (Sandler et al., CVPR 2018,
https://arxiv.org/abs/1801.04381), ShuffleNetV2 (Ma et al., ECCV 2018,
https://arxiv.org/abs/1807.11164) and VGG (Simonyan and Zisserman, ICLR 2015,
https://arxiv.org/abs/1409.1556) from torchvision.
"""

from collections.abc import Callable
from typing import Any

import torchvision
from efficientnet_pytorch import EfficientNet
from torch import Tensor, nn

from steel_defect_detection.models.config import ClassifierConfig
from steel_defect_detection.models.duq import DuqHead


class Classifier(nn.Module):
    """An encoder with one logit per class.

    Shape:
        images: float, ``(batch, channels, height, width)``, sides divisible
            by 32.
        logits: ``(batch, classes)``, or ``(batch, classes + 1)`` with "any
            defect" last where it has a logit of its own.
    """

    def __init__(self, config: ClassifierConfig, channels: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.network: nn.Module = _builder(config.encoder)(config, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images)
        return logits

    def encoder_parts(self) -> list[nn.Module]:
        """All layers but the head."""
        return [layer for name, layer in self.network.named_children() if name not in _HEADS]


# What the last layers are called in the libraries.
_HEADS = ("_fc", "fc", "classifier")


def _efficientnet(config: ClassifierConfig, channels: int) -> Any:
    network = EfficientNet.from_name(config.encoder, in_channels=channels)
    network._fc = _head(config, network._fc.in_features)
    if config.dropout is not None:
        network._dropout = nn.Dropout(config.dropout)
    if config.stem == "small":
        width = network._conv_stem.out_channels
        network._conv_stem = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    # The memory-saving swish has a backward pass of its own, which no
    # exporter can follow: https://github.com/lukemelas/EfficientNet-PyTorch/issues/91
    network.set_swish(memory_efficient=False)
    return network


def _resnet(config: ClassifierConfig, channels: int) -> Any:
    network = torchvision.models.get_model(config.encoder)
    if config.stem == "small":
        network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    elif channels != 3:
        network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    network.fc = _dropped(config, _head(config, network.fc.in_features))
    return network


def _mobilenet(config: ClassifierConfig, channels: int) -> Any:
    network = torchvision.models.mobilenet_v2()
    stride = 1 if config.stem == "small" else 2
    network.features[0][0] = nn.Conv2d(channels, 32, 3, stride=stride, padding=1, bias=False)
    dropout = 0.2 if config.dropout is None else config.dropout
    network.classifier = nn.Sequential(nn.Dropout(dropout), _head(config, network.last_channel))
    return network


def _shufflenet(config: ClassifierConfig, channels: int) -> Any:
    network = torchvision.models.shufflenet_v2_x1_0()
    stride = 1 if config.stem == "small" else 2
    network.conv1[0] = nn.Conv2d(channels, 24, 3, stride=stride, padding=1, bias=False)
    if config.stem == "small":
        network.maxpool = nn.Identity()
    network.fc = _dropped(config, _head(config, network.fc.in_features))
    return network


def _vgg(config: ClassifierConfig, channels: int) -> Any:
    network = torchvision.models.vgg16()
    network.features[0] = nn.Conv2d(channels, 64, 3, padding=1)
    # One number per channel in place of 7 x 7: an eighth of the weights, and any image size.
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = _dropped(config, _head(config, 512))
    return network


_Builder = Callable[[ClassifierConfig, int], Any]

# By the beginning of the encoder's name.
_BUILDERS: dict[str, _Builder] = {
    "efficientnet": _efficientnet,
    "mobilenet": _mobilenet,
    "resnet": _resnet,
    "shufflenet": _shufflenet,
    "vgg": _vgg,
}


def _builder(encoder: str) -> _Builder:
    return next(build for family, build in _BUILDERS.items() if encoder.startswith(family))


def _head(config: ClassifierConfig, features: int) -> nn.Module:
    """Build the last layers, from features to logits."""
    if config.head == "duq":
        return DuqHead(
            features,
            len(config.classes),
            embedding_size=config.embedding_size,
            length_scale=config.length_scale,
        )
    outputs = len(config.classes) + (config.any_defect == "logit")
    if not config.head_width:
        return nn.Linear(features, outputs)
    return nn.Sequential(
        nn.Linear(features, config.head_width), nn.ReLU(), nn.Linear(config.head_width, outputs)
    )


def _dropped(config: ClassifierConfig, head: nn.Module) -> nn.Module:
    """Put dropout before a head where it was asked for."""
    return nn.Sequential(nn.Dropout(config.dropout), head) if config.dropout else head
