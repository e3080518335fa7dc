"""Callbacks: keep the best epoch, write the table of epochs, show progress (Lightning)."""

import csv
import io
import sys
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from steel_defect_detection import checkpoints, files
from steel_defect_detection.checkpoints import Header
from steel_defect_detection.models import weights
from steel_defect_detection.training.task import Task

MONITORED = "validation_loss"


class KeepEpoch(Callback):
    """Write the checkpoint of the best epoch so far, or of each.

    Args:
        path: The checkpoint to write.
        header: Its header; the card is completed with the measures.
        only_best: Whether an epoch must have the lowest validation loss so
            far.
    """

    def __init__(self, path: Path, header: Header, *, only_best: bool) -> None:
        """Start without an epoch."""
        self._path = path
        self._header = header
        self._only_best = only_best
        self.measures: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare this epoch with the best one; its validation is over by now."""
        now = measures(trainer) | {"epoch": trainer.current_epoch + 1}
        if not isinstance(pl_module, Task) or (self._only_best and not self._is_better(now)):
            return
        self.measures = now
        card = self._header.card.model_copy(update={"metrics": self.measures})
        header = self._header.model_copy(update={"card": card})
        checkpoints.save(self._path, header, weights.arrays(pl_module.graph))

    def _is_better(self, now: dict[str, float]) -> bool:
        return not self.measures or now[MONITORED] < self.measures[MONITORED]

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        return {"measures": self.measures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up again."""
        self.measures = state_dict["measures"]


class EpochTable(Callback):
    """Write ``epochs.csv``, one row per epoch.

    Args:
        path: The table to write.
    """

    def __init__(self, path: Path) -> None:
        """Start with an empty table."""
        self._path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Add the row of this epoch."""
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        epoch = {"epoch": trainer.current_epoch + 1, "learning_rate": rate}
        self.rows.append(epoch | measures(trainer))
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


class Progress(Callback):
    """A bar per epoch on standard error, and a line with its measures."""

    def __init__(self) -> None:
        """Start without a bar."""
        self._bar: tqdm[Any] | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Open the bar."""
        self._bar = tqdm(
            total=int(trainer.num_training_batches),
            desc=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            unit="batch",
            leave=False,
            disable=None,
        )

    def on_train_batch_end(self, *arguments: object) -> None:  # noqa: ARG002
        """Move the bar."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Close the bar and say how the epoch went."""
        if self._bar is not None:
            self._bar.close()
        values = ", ".join(f"{name} {value:.4f}" for name, value in measures(trainer).items())
        sys.stderr.write(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {values}\n")


def measures(trainer: Trainer) -> dict[str, float]:
    """Everything that was logged this epoch, as plain numbers."""
    names = ("train_loss", MONITORED)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
    ordered = {name: logged.pop(name) for name in names if name in logged}
    return ordered | logged
