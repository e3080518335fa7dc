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

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images)
        return logits

    def encoder_parts(self) -> list[nn.Module]:
        """The layers that see the image."""
        return [self.network.encoder]
