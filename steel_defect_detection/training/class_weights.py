"""Weights of classes in a loss: as the settings say, or by how rare a class is."""

from typing import NamedTuple

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.losses.binary_cross_entropy import automatic_pos_weight
from steel_defect_detection.losses.cross_entropy import balanced_weights
from steel_defect_detection.training.config import TrainConfig


def class_weights(config: TrainConfig, classes: tuple[str, ...]) -> tuple[float, ...]:
    """Weight of each class, 1 unless the settings say otherwise.

    Raises:
        ConfigError: If there are weights, but not one per class.
    """
    if not config.class_weights:
        return (1.0,) * len(classes)
    if len(config.class_weights) != len(classes):
        msg = (
            f"class_weights has {len(config.class_weights)} values, "
            f"but the data has {len(classes)} classes: {', '.join(classes)}. Give one weight per "
            "class, or 'none'"
        )
        raise ConfigError(msg)
    return config.class_weights


class Counts(NamedTuple):
    """How many images show each class, of how many."""

    images: tuple[int, ...]
    total: int

    def weights(self, *, exclusive: bool) -> tuple[float, ...]:
        """Weight of each class by its rarity."""
        if exclusive:
            return balanced_weights(self.images)
        return automatic_pos_weight(self.images, self.total)
