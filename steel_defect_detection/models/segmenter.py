"""The segmenter: a U-Net or LinkNet that says where each defect class lies.

Sources: Ronneberger et al., "U-Net", MICCAI 2015, https://arxiv.org/abs/1505.04597;
Chaurasia and Culurciello, "LinkNet", 2017, https://arxiv.org/abs/1707.03718;
both in the implementation of segmentation-models-pytorch.
"""

from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from steel_defect_detection.models.config import SegmenterConfig


class Segmenter(nn.Module):
    """Encoder and decoder with one logit per defect class and pixel.

    Shape:
        images: float, ``(batch, channels, height, width)``, sides divisible
            by 32.
        logits: ``(batch, classes, height, width)``.
    """

    def __init__(self, config: SegmenterConfig, channels: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.network: Any = smp.create_model(
            config.architecture,
            encoder_name=config.encoder,
            encoder_weights=None,
            in_channels=channels,
            classes=len(config.classes),
        )
        freeze_idle_layers(self.network.encoder)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images)
        return logits

    def encoder_parts(self) -> list[nn.Module]:
        """The layers that see the image."""
        return [self.network.encoder]


def freeze_idle_layers(encoder: nn.Module) -> None:
    """Freeze the last layers of an EfficientNet, which no image passes below a decoder.

    Several processes that train together wait for the gradient of each weight
    that is not frozen.
    """
    for name, layer in encoder.named_children():
        if name in {"_conv_head", "_bn1"}:
            layer.requires_grad_(requires_grad=False)
