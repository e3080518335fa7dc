"""Answers for whole images: their loss and their measures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steel_defect_detection.losses.binary_cross_entropy import BinaryCrossEntropy
from steel_defect_detection.losses.cross_entropy import CrossEntropy
from steel_defect_detection.metrics.classification import ClassificationScores
from steel_defect_detection.metrics.ranking import auroc
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.training.class_weights import Counts, class_weights
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import collected

_EXCLUSIVE = ("accuracy", "balanced_accuracy", "f1_macro")


def whole_measures(*, exclusive: bool) -> tuple[str, ...]:
    """Names of what is measured of whole images, without what the majority would score.

    Args:
        exclusive: Whether each image shows exactly one class.
    """
    names = _EXCLUSIVE if exclusive else ("accuracy", "auroc")
    return tuple(f"validation_{name}" for name in names)


class WholeImages(nn.Module):
    """Loss and measures of answers for whole images.

    Args:
        config: Settings of the run.
        graph_config: The network to train.
        counts: Images of each class among the training images, and how many
            there are in all, for weights by rarity.
    """

    def __init__(
        self, config: TrainConfig, graph_config: GraphConfig, counts: Counts | None = None
    ) -> None:
        """Build the loss and start without images."""
        super().__init__()
        network = graph_config.network
        self.classes = network.classes
        self.exclusive = network.kind == "classifier" and network.exclusive
        # Kernels of a distance head are questions of their own, one per class.
        self.adds_up = network.kind == "classifier" and network.adds_up
        good = network.good_class if network.kind == "classifier" else None
        self.is_bad = np.array([name != good for name in network.classes])
        weights = class_weights(config, network.classes)
        if config.balance_classes and counts is not None:
            weights = counts.weights(exclusive=self.adds_up)
        own_logit = network.kind != "segmenter" and network.any_defect == "logit"
        self.criterion: nn.Module = (
            CrossEntropy(weights, label_smoothing=config.label_smoothing)
            if self.adds_up
            else BinaryCrossEntropy((*weights, 1.0) if own_logit else weights)
        )
        self.seen: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with labels, and with "any defect" where it has a logit."""
        if self.adds_up:
            targets = targets.argmax(dim=1)
        elif logits.shape[1] > targets.shape[1]:
            targets = torch.cat([targets, targets.amax(dim=1, keepdim=True)], dim=1)
        loss: Tensor = self.criterion(logits, targets)
        return loss

    def measure(self, logits: Tensor, targets: Tensor) -> None:
        """Note what was said of an image, and what it shows."""
        probabilities = logits.softmax(dim=1) if self.adds_up else logits.sigmoid()
        shown = targets[0].bool().cpu().numpy()
        self.seen.append((probabilities[0].cpu().numpy(), shown))

    def measures(self) -> dict[str, float]:
        """Measures of the noted images of all processes, which are forgotten."""
        seen = collected(self.seen)
        said = np.stack([row for row, _ in seen])
        shown = np.stack([row for _, row in seen])
        self.seen = []
        if self.exclusive:
            return self._exclusive(said, shown)
        # "Any defect", where it has a logit of its own, stands behind the classes.
        own = np.ones(said.shape[1] - shown.shape[1], dtype=np.bool_)
        return any_measures(said[:, np.append(self.is_bad, own)], shown[:, self.is_bad])

    def _exclusive(self, said: NDArray[np.float32], shown: NDArray[np.bool_]) -> dict[str, float]:
        """Measures of the likeliest class, and what the commonest class would score."""
        scores = ClassificationScores(self.classes)
        scores.add(said[:, : len(self.classes)], shown.argmax(axis=1))
        summary = scores.summary()
        return {
            f"validation_{name}{ending}": float(summary[f"{name}{ending}"])
            for name in _EXCLUSIVE
            for ending in ("", "_majority")
        }


def any_measures(said: NDArray[np.float32], shown: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy and AUROC of "any defect", and the share of the commoner answer.

    Args:
        said: Probabilities, shape ``(images, classes)``, with "any defect" as a
            further column where it has a logit of its own.
        shown: Which classes each image shows, shape ``(images, classes)``. Both
            without the class, if any, that means "free of defects".
    """
    own = said[:, shown.shape[1] :]
    scores = own[:, 0] if own.size else said.max(axis=1)
    labels = np.asarray(shown.any(axis=1))
    return {
        "validation_accuracy": float(((scores >= 0.5) == labels).mean()),
        "validation_accuracy_majority": float(max(labels.mean(), 1 - labels.mean())),
        "validation_auroc": auroc(scores, labels),
    }
