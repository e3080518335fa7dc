"""Callbacks: keep the best epoch, write the table of epochs, show progress (Lightning)."""

import csv
import io
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, WeightAveraging
from torch.optim.swa_utils import get_ema_avg_fn
from tqdm import tqdm

from steel_defect_detection import checkpoints, files
from steel_defect_detection.checkpoints import Header
from steel_defect_detection.models import weights
from steel_defect_detection.models.graph import Graph
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.data import Item
from steel_defect_detection.training.processes import gathered
from steel_defect_detection.training.strategies import whole
from steel_defect_detection.training.task import Task


class KeepEpoch(Callback):
    """Write the checkpoint of the best epoch so far, or of each.

    Args:
        path: The checkpoint to write.
        header: Its header; the card is completed with the measures.
        config: Settings of the run, which say what is best.
    """

    def __init__(self, path: Path, header: Header, config: TrainConfig) -> None:
        """Start without an epoch."""
        self._path = path
        self._header = header
        self._config = config
        self.measures: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare this epoch with the best one; its validation is over by now."""
        now = measures(trainer) | {"epoch": trainer.current_epoch + 1}
        only_best = self._config.keep == "best"
        if not isinstance(pl_module, Task) or (only_best and not self._is_better(now)):
            return
        self.measures = now
        graph = judged(trainer, pl_module)
        if trainer.is_global_zero:
            card = self._header.card.model_copy(update={"metrics": self.measures})
            header = self._header.model_copy(update={"card": card})
            checkpoints.save(self._path, header, weights.arrays(graph))

    def restore(self, job: Task) -> None:
        """Put the weights of the best epoch back into the network."""
        weights.restore(job.graph, checkpoints.load(self._path).tensors)

    def _is_better(self, now: dict[str, float]) -> bool:
        monitor = self._config.monitor
        if not self.measures or math.isnan(self.measures[monitor]):
            return True
        before, after = self.measures[monitor], now[monitor]
        return after < before if is_loss(monitor) else after > before

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"measures": self.measures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.measures = state_dict["measures"]


class RestoreBest(Callback):
    """Bring the best weights back after epochs without progress.

    Args:
        kept: Which epoch was the best.
        patience: How many epochs to wait.
    """

    def __init__(self, kept: KeepEpoch, patience: int) -> None:
        """Start counting at the first epoch."""
        self._kept = kept
        self._patience = patience
        self._since = 0

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count, and restore where it is time to."""
        epoch = trainer.current_epoch + 1
        self._since = max(self._since, int(self._kept.measures.get("epoch", 0)))
        if isinstance(pl_module, Task) and epoch - self._since >= self._patience:
            self._kept.restore(pl_module)
            self._since = epoch

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"since": self._since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self._since = state_dict["since"]


class Average(WeightAveraging):
    """Average weights over the steps: all of them, or those of the last epochs.

    Until the first step is averaged, the real weights are judged and kept.
    Lightning would judge the average all the time, which before that step holds
    the weights that training began with.

    Args:
        decay: Share of the old average kept at each step; None for the plain
            average.
        first_epoch: Epoch, counted from 0, from which weights are averaged.
    """

    def __init__(self, *, decay: float | None, first_epoch: int) -> None:
        """Choose the rule."""
        # torch gives this function no types.
        rule = None if decay is None else get_ema_avg_fn(decay)  # type: ignore[no-untyped-call]
        super().__init__(avg_fn=rule)
        self._first_epoch = first_epoch
        self._epoch = 0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Take note of the epoch."""
        self._epoch = trainer.current_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:  # noqa: ARG002
        """Tell whether this step belongs to the average."""
        return step_idx is not None and self._epoch >= self._first_epoch

    @property
    def has_begun(self) -> bool:
        """Whether there is an average: of one step at least."""
        return self._latest_update_step > 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in the place of the weights, if there is one."""
        if self.has_begun:
            super().on_validation_epoch_start(trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the weights back."""
        if self.has_begun:
            super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the average in the network, if there is one."""
        if self.has_begun:
            super().on_train_end(trainer, pl_module)

    def graph(self) -> Graph | None:
        """The network with the averaged weights, if there are any."""
        average = self._average_model
        if average is None or not self.has_begun:
            return None
        return cast("Task", average.module).graph


def averaging(config: TrainConfig) -> list[Callback]:
    """Build what averages weights, if the settings ask for it."""
    if config.averaging == "none":
        return []
    if config.averaging == "ema":
        return [Average(decay=config.averaging_decay, first_epoch=0)]
    return [Average(decay=None, first_epoch=config.epochs - max(config.epochs // 4, 1))]


def early_ends(config: TrainConfig, kept: KeepEpoch) -> list[Callback]:
    """Build what reacts to epochs without progress, if the settings ask for it."""
    found: list[Callback] = []
    if config.replacement:
        found.append(RestoreBest(kept, config.replacement))
    if config.early_stopping:
        mode = "min" if is_loss(config.monitor) else "max"
        found.append(EarlyStopping(config.monitor, patience=config.early_stopping, mode=mode))
    return found


def judged(trainer: Trainer, job: Task) -> Graph:
    """The network that validation judges: the averaged one, where weights are averaged.

    All processes have to call this, for weights that are dealt out are put together.
    """
    callbacks = getattr(trainer, "callbacks", [])
    averages = [callback for callback in callbacks if isinstance(callback, Average)]
    average = averages[0].graph() if averages else None
    return average or whole(trainer, job.graph, job.graph_config)


def is_loss(measure: str) -> bool:
    """Tell whether a measure is best when low."""
    return measure.endswith("loss")


class Clock(Callback):
    """Measure how fast an epoch trains, and how long it waits for images.

    Waiting is the time between two steps, in which the next batch is fetched.
    Validation is not counted. On a GPU, whose work goes on beside the program,
    waiting is that of the program.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self._waited = self._worked = 0.0
        self._images = 0
        self._mark = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start to wait for the first batch."""
        self._waited = self._worked = 0.0
        self._images = 0
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        batch: Item,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Stop waiting."""
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now
        self._images += len(batch[0])

    def on_train_batch_end(self, *arguments: object) -> None:  # noqa: ARG002
        """Start to wait for the next batch."""
        now = time.perf_counter()
        self._worked += now - self._mark
        self._mark = now

    def measures(self) -> dict[str, float]:
        """Training images per second of all processes, and the share of time spent waiting."""
        waited, worked, images = np.array(
            gathered((self._waited, self._worked, self._images)), dtype=np.float64
        ).T
        spent = np.maximum(waited + worked, 1e-9)
        return {
            "images_per_second": float(images.sum() / spent.max()),
            "waiting_share": float(waited.sum() / spent.sum()),
        }


class EpochTable(Callback):
    """Write ``epochs.csv``, one row per epoch.

    Args:
        path: The table to write.
        clock: What measures the speed.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Start with an empty table."""
        self._path = path
        self._clock = clock
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Add the row of this epoch."""
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        epoch = {"epoch": trainer.current_epoch + 1, "learning_rate": rate}
        self.rows.append(epoch | measures(trainer) | self._clock.measures())
        if not trainer.is_global_zero:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        files.write_text(self._path, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.rows = state_dict["rows"]


class Baseline(Callback):
    """Say on standard error when the best epoch is worth no more than no model.

    It is said after a few epochs, so that nobody waits for the end in vain, and
    again at the end.

    Args:
        kept: Which epoch was the best.
        first_epoch: Epoch, counted from 1, after which it is said first.
    """

    def __init__(self, kept: KeepEpoch, first_epoch: int = 5) -> None:
        """Wait for the epoch."""
        self._kept = kept
        self._first_epoch = first_epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Look at it once along the way."""
        epoch = trainer.current_epoch + 1
        if epoch == self._first_epoch and epoch != trainer.max_epochs:
            self._say(trainer, f"after {epoch} epochs ")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Look at what is kept."""
        self._say(trainer, "")

    def _say(self, trainer: Trainer, when: str) -> None:
        problem = worthless(self._kept.measures)
        if problem and trainer.is_global_zero:
            sys.stderr.write(f"warning: {when}{problem}\n")


def worthless(found: Mapping[str, float]) -> str | None:
    """Say what is wrong with measures that no model would reach as well.

    Args:
        found: Measures of an epoch.

    Returns:
        What is wrong and what to try, or None.
    """
    if found.get("validation_dice_on_defects") == 0:
        return (
            "all is background: no defect of the validation images was outlined, not even in "
            "part. Try more --epochs, --init strip, another --learning-rate, --defect-crops "
            "nearer to 1, a --background-weight below 1, or look with sdd-inspect whether the "
            "masks fit the images"
        )
    accuracy = found.get("validation_accuracy")
    # A gate may tell good from bad well and yet have its threshold at the wrong place.
    ranks = found.get("validation_auroc", 0) > 0.5
    if accuracy is not None and accuracy <= found["validation_accuracy_majority"] and not ranks:
        return (
            f"an accuracy of {accuracy:.3f} is no better than always giving the commonest "
            "answer. Try more --epochs, another --learning-rate, --balance or "
            "--balance-classes, or look with sdd-inspect whether the labels fit the images"
        )
    return None


class Progress(Callback):
    """A bar per epoch on standard error, and a line with its measures."""

    def __init__(self) -> None:
        """Start without a bar."""
        self._bar: tqdm[Any] | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Open the bar."""
        self._bar = progress_bar(
            total=int(trainer.num_training_batches),
            what=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            unit="batch",
            leave=False,
            shown=trainer.is_global_zero,
        )

    def on_train_batch_end(self, *arguments: object) -> None:  # noqa: ARG002
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Close the bar and say how the epoch went."""
        if self._bar is not None:
            self._bar.close()
        if not trainer.is_global_zero:
            return
        values = ", ".join(f"{name} {value:.4f}" for name, value in measures(trainer).items())
        sys.stderr.write(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {values}\n")


def measures(trainer: Trainer) -> dict[str, float]:
    """Everything that was logged this epoch, as plain numbers."""
    names = ("train_loss", "validation_loss")
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    ordered = {name: logged.pop(name) for name in names if name in logged}
    return ordered | logged
