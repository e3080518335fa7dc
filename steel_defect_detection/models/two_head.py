"""Two heads on one encoder: a gate for the image and a decoder for its pixels.

The encoder runs once for both. The two parts can also run one after the other,
so that the decoder runs only where the gate fires.
"""

from collections.abc import Sequence
from typing import Any, Literal, Self

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from steel_defect_detection.models.config import TwoHeadConfig
from steel_defect_detection.models.segmenter import freeze_idle_layers

# What the library calls its parts.
GATE_LAYERS = ("encoder", "classification_head")
DECODER_LAYERS = ("decoder", "segmentation_head")


class TwoHead(nn.Module):
    """U-Net or LinkNet with a second head for the whole image.

    Shape:
        images: float, ``(batch, channels, height, width)``, sides divisible
            by 32.
        logits of pixels: ``(batch, classes, height, width)``.
        logits of images: ``(batch, classes)``, or ``(batch, classes + 1)`` with
            "any defect" last where it has a logit of its own.
    """

    def __init__(self, config: TwoHeadConfig, channels: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        outputs = len(config.classes) + (config.any_defect == "logit")
        self.network: Any = smp.create_model(
            config.architecture,
            encoder_name=config.encoder,
            encoder_weights=None,
            in_channels=channels,
            classes=len(config.classes),
            aux_params={"classes": outputs, "dropout": config.dropout},
        )
        freeze_idle_layers(self.network.encoder)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of pixels and of images."""
        features = self.encode(images)
        return self.decode(features), self.judge(features)

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return what the encoder sees, from fine to coarse."""
        features: list[Tensor] = self.network.encoder(images)
        # The first is the image itself.
        return features[1:]

    def judge(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of images."""
        logits: Tensor = self.network.classification_head(features[-1])
        return logits

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of pixels."""
        batch, _, height, width = features[0].shape
        # Of the image itself decoders take only the size, which is that of their answer.
        image = features[0].new_empty((batch, 0, 2 * height, 2 * width))
        decoded = self.network.decoder([image, *features])
        logits: Tensor = self.network.segmentation_head(decoded)
        return logits

    def keep(self, part: Literal["all", "gate", "decoder"]) -> Self:
        """Leave out the layers that a part does not run.

        Args:
            part: All, the encoder with the gate's head, or the decoder.
        """
        for name in DECODER_LAYERS if part == "gate" else GATE_LAYERS if part == "decoder" else ():
            setattr(self.network, name, nn.Identity())
        return self

    def encoder_parts(self) -> list[nn.Module]:
        """The layers that see the image."""
        return [self.network.encoder]
