"""Tasks: what one training step and one validation pass do (Lightning)."""

from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from steel_defect_detection.errors import ConfigError, TrainingError
from steel_defect_detection.losses.pixel_weighted import PixelWeightedLoss
from steel_defect_detection.metrics.classification import auroc
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import Item


class Task(LightningModule):
    """A graph, its loss, its optimiser and its measures.

    Args:
        config: Settings of the run.
        description: The network to train.
    """

    def __init__(self, config: TrainConfig, description: GraphConfig) -> None:
        """Build the graph with random weights."""
        super().__init__()
        self.config = config
        self.description = description
        self.graph = graphs.build(description).to(memory_format=torch.channels_last)
        self.losses: list[float] = []

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with targets."""
        raise NotImplementedError

    def measure(self, probabilities: NDArray[np.float32], targets: NDArray[np.bool_]) -> None:
        """Take note of one validation image."""
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """Compute the measures of all noted images and forget them."""
        raise NotImplementedError

    def training_step(self, batch: Item, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        # Dropout depends on these numbers alone, so that a resumed run equals a whole one.
        numbers = [self.config.seed, self.current_epoch, batch_index]
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        images, targets = batch
        loss = self.loss(self.graph.logits(images).float(), targets)
        if not torch.isfinite(loss):
            msg = (
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}. Try a smaller "
                f"--learning-rate than {self.config.learning_rate} or --gradient-clip 1"
            )
            raise TrainingError(msg)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(images))
        return loss

    def validation_step(self, batch: Item, batch_index: int) -> None:  # noqa: ARG002
        """Judge one whole image."""
        images, targets = batch
        logits = self.graph.logits(images).float()
        self.losses.append(float(self.loss(logits, targets)))
        probabilities = logits.sigmoid()[0].cpu().numpy()
        self.measure(probabilities, targets[0].bool().cpu().numpy())

    def on_validation_epoch_end(self) -> None:
        """Log the measures of the whole validation set."""
        self.log("validation_loss", float(np.mean(self.losses)))
        self.log_dict(self.measures())
        self.losses.clear()

    def configure_optimizers(self) -> Any:
        """Build the optimiser over every weight, and the schedule."""
        config = self.config
        settings: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        optimizer: torch.optim.Optimizer
        match config.optimizer:
            case "adam":
                optimizer = torch.optim.Adam(self.parameters(), **settings)
            case "adamw":
                optimizer = torch.optim.AdamW(self.parameters(), **settings)
            case "sgd":
                optimizer = torch.optim.SGD(self.parameters(), momentum=0.9, **settings)
        if config.scheduler == "constant":
            return optimizer
        if config.scheduler == "cosine":
            return [optimizer], [
                torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
            ]
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.1, patience=config.plateau_patience
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "validation_loss"},
        }


class SegmenterTask(Task):
    """Outline defects: pixel-weighted cross-entropy and Dice."""

    def __init__(self, config: TrainConfig, description: GraphConfig) -> None:
        """Build the loss and the counters."""
        super().__init__(config, description)
        classes = description.network.classes
        self.criterion = PixelWeightedLoss(
            class_weights(config, classes),
            background_weight=config.background_weight,
            dice_weight=config.dice_weight,
        )
        self.dice = DiceScores(len(classes))

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with masks."""
        loss: Tensor = self.criterion(logits, targets)
        return loss

    def measure(self, probabilities: NDArray[np.float32], targets: NDArray[np.bool_]) -> None:
        """Count overlapping pixels at a threshold of 1/2."""
        self.dice.add(probabilities >= 0.5, targets)

    def measures(self) -> dict[str, float]:
        """Dice over the validation set, and what predicting nothing would score."""
        dice, self.dice = self.dice, DiceScores(len(self.description.network.classes))
        return {
            "validation_dice_kaggle": dice.kaggle(),
            "validation_dice_all_empty": dice.all_empty(),
            "validation_dice_on_defects": dice.on_defects(),
        }


class ClassifierTask(Task):
    """Name the defect classes of an image: binary cross-entropy per class."""

    def __init__(self, config: TrainConfig, description: GraphConfig) -> None:
        """Keep the weights and start without images."""
        super().__init__(config, description)
        weights = class_weights(config, description.network.classes)
        self.register_buffer("positive_weights", torch.tensor(weights), persistent=False)
        self.seen: list[tuple[float, bool]] = []

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with labels, and with "any defect" where it has a logit."""
        weights: Tensor = self.get_buffer("positive_weights")
        if logits.shape[1] > targets.shape[1]:
            targets = torch.cat([targets, targets.amax(dim=1, keepdim=True)], dim=1)
            weights = functional.pad(weights, (0, 1), value=1.0)
        return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights)

    def measure(self, probabilities: NDArray[np.float32], targets: NDArray[np.bool_]) -> None:
        """Note the probability of any defect and whether there is one."""
        own = probabilities[len(targets) :]
        self.seen.append((float(own[0] if own.size else probabilities.max()), bool(targets.any())))

    def measures(self) -> dict[str, float]:
        """Accuracy and AUROC of "any defect", and the share of the commoner answer."""
        seen = np.array(self.seen)
        scores, labels = seen[:, 0], seen[:, 1].astype(bool)
        self.seen = []
        return {
            "validation_accuracy": float(((scores >= 0.5) == labels).mean()),
            "validation_accuracy_majority": float(max(labels.mean(), 1 - labels.mean())),
            "validation_auroc": auroc(scores, labels),
        }


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


def build(config: TrainConfig, description: GraphConfig) -> Task:
    """Build the task for a network.

    Args:
        config: Settings of the run.
        description: The network to train.
    """
    if description.network.kind == "classifier":
        return ClassifierTask(config, description)
    return SegmenterTask(config, description)
