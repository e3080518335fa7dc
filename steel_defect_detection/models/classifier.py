"""The gate: an EfficientNet that says which defect classes an image shows.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
Neural Networks", ICML 2019, https://arxiv.org/abs/1905.11946, in the
implementation of the package efficientnet-pytorch.
"""

from efficientnet_pytorch import EfficientNet
from torch import Tensor, nn

from steel_defect_detection.models.config import ClassifierConfig


class Classifier(nn.Module):
    """EfficientNet with one logit per defect class.

    Shape:
        images: float, ``(batch, channels, height, width)``, sides divisible
            by 32.
        logits: ``(batch, classes)``, or ``(batch, classes + 1)`` with "any
            defect" last where it has a logit of its own.
    """

    def __init__(self, config: ClassifierConfig, channels: int) -> None:
        """Build the network with random weights."""
        super().__init__()
        own_logit = config.any_defect == "logit"
        self.network = EfficientNet.from_name(
            config.encoder,
            in_channels=channels,
            num_classes=len(config.classes) + own_logit,
        )
        # The memory-saving swish has a backward pass of its own, which no
        # exporter can follow: https://github.com/lukemelas/EfficientNet-PyTorch/issues/91
        self.network.set_swish(memory_efficient=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.network(images)
        return logits
