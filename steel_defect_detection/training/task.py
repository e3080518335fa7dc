"""Tasks: what one training step and one validation pass do (Lightning)."""

from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from steel_defect_detection.errors import TrainingError
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models.config import GraphConfig
from steel_defect_detection.models.two_head import DECODER_LAYERS, GATE_LAYERS
from steel_defect_detection.training import duq, strategies
from steel_defect_detection.training.class_weights import Counts
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import Item
from steel_defect_detection.training.outlines import OUTLINE_MEASURES, Outlines
from steel_defect_detection.training.processes import collected, processes, share
from steel_defect_detection.training.whole_images import WholeImages, whole_measures


class Task(LightningModule):
    """A graph, its loss, its optimiser and its measures.

    Args:
        config: Settings of the run.
        graph_config: The network to train.
    """

    def __init__(self, config: TrainConfig, graph_config: GraphConfig) -> None:
        """Build the graph with random weights."""
        super().__init__()
        self.config = config
        self.graph_config = graph_config
        self.graph = graphs.plain(graph_config).to(memory_format=torch.channels_last)
        # Before several processes agree on the weights whose gradients they wait for.
        for part in self.frozen():
            part.requires_grad_(requires_grad=False)
        self.losses: list[float] = []
        self.problem: TrainingError | None = None
        """What this process has met in a step, for ``Agreement`` to raise in all of them."""

    def answer(self, images: Tensor) -> Any:
        """Return the network's logits for uint8 images, float32, in the form of the graph."""
        logits = self.graph.logits(images)
        if isinstance(logits, Tensor):
            return logits.float()
        return tuple(part.float() for part in logits)

    def loss(self, logits: Any, targets: Tensor) -> Tensor:
        """Compare logits with targets."""
        raise NotImplementedError

    def training_loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Loss of one training batch, with what only training adds to it."""
        return self.loss(self.answer(images), targets)

    def measure(self, logits: Any, targets: Tensor) -> None:
        """Take note of one validation image."""
        raise NotImplementedError

    def measures(self) -> dict[str, float]:
        """Compute the measures of all noted images and forget them."""
        raise NotImplementedError

    def frozen(self) -> list[nn.Module]:
        """Layers that stay as they are."""
        return self.graph.network.encoder_parts() if self.config.freeze_encoder else []

    def configure_model(self) -> None:
        """Deal the weights out to the processes, if the strategy is to."""
        strategies.shard(self.trainer, self.graph)

    def on_train_epoch_start(self) -> None:
        """Keep the running statistics of frozen layers, too, as they are."""
        for part in self.frozen():
            part.eval()

    def training_step(self, batch: Item, batch_index: int) -> Tensor:
        """Return the loss of one batch."""
        # Dropout depends on these numbers alone, so that a resumed run equals a whole one.
        rank = processes()[0]
        numbers = [self.config.seed, self.current_epoch, batch_index, *[rank] * bool(rank)]
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        images, targets = batch
        loss = self.training_loss(images, targets)
        if not torch.isfinite(loss):
            msg = (
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}. Try a smaller "
                f"--learning-rate than {self.config.learning_rate} or --gradient-clip 1"
            )
            self.problem = TrainingError(msg)
            if processes()[1] == 1:
                raise self.problem
        size = len(images)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Judge the same network in all processes: the one that the first would write."""
        strategies.unshard(self.graph)
        # Each process has met other images, so the running statistics differ.
        share(self.graph.buffers())

    def validation_step(self, batch: Item | Exception, batch_index: int) -> None:  # noqa: ARG002
        """Judge one whole image."""
        if isinstance(batch, Exception):
            return  # raised at the end of the epoch, in all processes
        images, targets = batch
        logits = self.answer(images)
        self.losses.append(float(self.loss(logits, targets)))
        self.measure(logits, targets)

    def on_validation_epoch_end(self) -> None:
        """Log the measures of the whole validation set."""
        self.log("validation_loss", float(np.mean(collected(self.losses))))
        self.log_dict(self.measures())
        self.losses.clear()

    def on_train_epoch_end(self) -> None:
        """Lower the rate where a plateau is reached.

        Lightning would do so after ``last.ckpt`` is written, and an interrupted
        run would forget it.
        """
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(float(self.trainer.callback_metrics["validation_loss"]))

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:  # noqa: ARG002
        """Move a schedule on, unless it waits for a plateau: that one has moved already."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()

    def configure_optimizers(self) -> Any:
        """Build the optimiser over every weight that learns, and the schedule."""
        config = self.config
        learning = [weight for weight in self.graph.parameters() if weight.requires_grad]
        optimizer = _optimizer(config, learning)
        scheduler = self._scheduler(optimizer)
        if scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def _scheduler(self, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
        config, schedulers = self.config, torch.optim.lr_scheduler
        if config.scheduler == "constant":
            return None
        if config.scheduler == "plateau":
            plateau = ReduceLROnPlateau(
                optimizer, factor=config.step_factor, patience=config.plateau_patience
            )
            return {"scheduler": plateau, "monitor": "validation_loss"}
        if config.scheduler == "steps":
            steps = schedulers.MultiStepLR(optimizer, config.step_epochs, config.step_factor)
            return {"scheduler": steps}
        if config.scheduler == "one-cycle":
            count = int(self.trainer.estimated_stepping_batches)
            cycle = schedulers.OneCycleLR(optimizer, config.learning_rate, total_steps=count)
            return {"scheduler": cycle, "interval": "step"}
        return {"scheduler": schedulers.CosineAnnealingLR(optimizer, config.epochs)}


class SegmenterTask(Task):
    """Outline defects."""

    def __init__(self, config: TrainConfig, graph_config: GraphConfig) -> None:
        """Build the loss and start without images."""
        super().__init__(config, graph_config)
        self.outlines = Outlines(config, graph_config)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with masks."""
        return self.outlines.loss(logits, targets)

    def measure(self, logits: Tensor, targets: Tensor) -> None:
        """Count overlapping pixels at a threshold of 1/2."""
        self.outlines.measure(logits, targets)

    def measures(self) -> dict[str, float]:
        """Dice over the validation set, and what predicting nothing would score."""
        return self.outlines.measures()


class ClassifierTask(Task):
    """Name the classes of an image."""

    def __init__(
        self, config: TrainConfig, graph_config: GraphConfig, counts: Counts | None = None
    ) -> None:
        """Build the loss and start without images."""
        super().__init__(config, graph_config)
        self.whole = WholeImages(config, graph_config, counts)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with labels."""
        return self.whole.loss(logits, targets)

    def measure(self, logits: Tensor, targets: Tensor) -> None:
        """Note what the classifier says of an image."""
        self.whole.measure(logits, targets)

    def measures(self) -> dict[str, float]:
        """Accuracy and AUROC, and what the commoner answer would score."""
        return self.whole.measures()


class DuqTask(ClassifierTask):
    """Name the class of an image by the nearest centroid."""

    def __init__(
        self, config: TrainConfig, graph_config: GraphConfig, counts: Counts | None = None
    ) -> None:
        """Begin with centroids that count as much as the classes' shares of a batch."""
        super().__init__(config, graph_config, counts)
        duq.head_of(self.graph).begin(config.batch_size / len(graph_config.network.classes))

    def training_loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """Compare logits with labels, and the gradient of the kernels with length 1."""
        weight = self.config.gradient_penalty
        if not weight:
            return super().training_loss(images, targets)
        logits, penalty = duq.answer_with_penalty(self.graph, images)
        return self.loss(logits, targets) + weight * penalty

    def on_train_batch_end(self, outputs: Any, batch: Item, batch_idx: int) -> None:  # noqa: ARG002
        """Move the centroids towards the images of the batch, as the network sees them now."""
        images, targets = batch
        duq.remember(self.graph, images, targets, momentum=self.config.centroid_momentum)


class TwoHeadTask(Task):
    """Judge the image and outline its defects with one encoder."""

    def __init__(
        self, config: TrainConfig, graph_config: GraphConfig, counts: Counts | None = None
    ) -> None:
        """Build both losses and start without images."""
        super().__init__(config, graph_config)
        self.outlines = Outlines(config, graph_config)
        self.whole = WholeImages(config, graph_config, counts)

    def loss(self, logits: tuple[Tensor, Tensor], targets: Tensor) -> Tensor:
        """Compare logits with masks and with the labels that follow from them."""
        pixels, whole = logits
        gate = self.whole.loss(whole, _labels(targets))
        if self.config.train_part == "gate":
            return gate
        outlines = self.outlines.loss(pixels, targets)
        both = self.config.train_part == "all"
        return outlines + self.config.gate_weight * gate if both else outlines

    def measure(self, logits: tuple[Tensor, Tensor], targets: Tensor) -> None:
        """Count overlapping pixels, and note what the gate says."""
        pixels, whole = logits
        self.outlines.measure(pixels, targets)
        self.whole.measure(whole, _labels(targets))

    def measures(self) -> dict[str, float]:
        """The measures of both heads."""
        return self.outlines.measures() | self.whole.measures()

    def frozen(self) -> list[nn.Module]:
        """What the part that is trained leaves alone."""
        network = self.graph.network.network
        gate, decoder = (
            [network.get_submodule(name) for name in names]
            for names in (GATE_LAYERS, DECODER_LAYERS)
        )
        others: dict[str, list[nn.Module]] = {"all": [], "gate": decoder, "decoder": gate}
        return others[self.config.train_part] + super().frozen()


def measured(graph_config: GraphConfig) -> tuple[str, ...]:
    """Names of what is measured after each epoch and says how good a network is.

    Args:
        graph_config: The network.
    """
    losses = ("train_loss", "validation_loss")
    network = graph_config.network
    if network.kind == "segmenter":
        return (*losses, *OUTLINE_MEASURES)
    whole = whole_measures(exclusive=network.kind == "classifier" and network.exclusive)
    outlines = () if network.kind == "classifier" else OUTLINE_MEASURES
    return *losses, *outlines, *whole


def build(config: TrainConfig, graph_config: GraphConfig, counts: Counts | None = None) -> Task:
    """Build the task for a network.

    Args:
        config: Settings of the run.
        graph_config: The network to train.
        counts: Training images of each class, for weights by rarity.
    """
    if graph_config.network.kind == "segmenter":
        return SegmenterTask(config, graph_config)
    if graph_config.network.kind == "two_head":
        return TwoHeadTask(config, graph_config, counts)
    kind = DuqTask if graph_config.network.head == "duq" else ClassifierTask
    return kind(config, graph_config, counts)


def _optimizer(config: TrainConfig, weights: list[nn.Parameter]) -> torch.optim.Optimizer:
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(weights, rate, momentum=config.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(weights, rate, weight_decay=decay)


def _labels(targets: Tensor) -> Tensor:
    """Which classes images show, from their masks."""
    return targets.amax(dim=(2, 3))
