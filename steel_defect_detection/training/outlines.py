"""Answers for pixels: their loss and their measures."""

from functools import reduce

from torch import Tensor, nn

from steel_defect_detection.losses.pixel_weighted import PixelWeightedLoss
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.training.class_weights import class_weights
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import gathered

OUTLINE_MEASURES = ("validation_dice_kaggle", "validation_dice_on_defects", "validation_miou")
"""What is measured of outlines, without what predicting nothing would score."""


class Outlines(nn.Module):
    """Loss and measures of outlines: pixel-weighted cross-entropy and Dice.

    Args:
        config: Settings of the run.
        graph_config: The network to train.
    """

    def __init__(self, config: TrainConfig, graph_config: GraphConfig) -> None:
        """Build the loss and start without images."""
        super().__init__()
        self.classes = graph_config.network.classes
        self.criterion = PixelWeightedLoss(
            class_weights(config, self.classes),
            background_weight=config.background_weight,
            dice_weight=config.dice_weight,
            lovasz_weight=config.lovasz_weight,
            dice_per_class=config.dice_per_class,
        )
        self.dice = DiceScores(len(self.classes))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with masks, both ``(batch, classes, height, width)``."""
        loss: Tensor = self.criterion(logits, targets)
        return loss

    def measure(self, logits: Tensor, targets: Tensor) -> None:
        """Count overlapping pixels of one image at a probability of 1/2."""
        predicted = (logits[0] >= 0).cpu().numpy()
        self.dice.add(predicted, targets[0].bool().cpu().numpy())

    def measures(self) -> dict[str, float]:
        """Dice of the images of all processes, which are forgotten, and of predicting nothing."""
        dice = reduce(DiceScores.merge, gathered(self.dice))
        self.dice = DiceScores(len(self.classes))
        return {
            "validation_dice_kaggle": dice.kaggle(),
            "validation_dice_all_empty": dice.all_empty(),
            "validation_dice_on_defects": dice.on_defects(),
            "validation_miou": dice.miou(),
        }
