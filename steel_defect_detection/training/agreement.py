"""A callback by which processes that train together end together."""

import signal
import threading
from types import FrameType
from typing import Any

from lightning import Callback, LightningModule, Trainer

from steel_defect_detection.training.data import Item
from steel_defect_detection.training.processes import agree, processes
from steel_defect_detection.training.task import Task


class Agreement(Callback):
    """End all processes where one of them meets an error or is told to stop.

    SIGTERM and SIGUSR1, by which clusters say that time is up, mean what Ctrl-C
    means: the run ends, and ``last.ckpt`` of the last whole epoch stays. Several
    processes end at the same step, so that none waits for another; during
    validation, where their shares differ, each ends at once.

    Lightning would broadcast within the handler, in the midst of other exchanges.
    """

    def __init__(self) -> None:
        """Start without an error."""
        self._error: Exception | None = None
        self._told = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Listen to signals in place of Lightning, which puts the old handlers back at the end."""

        def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if processes()[1] == 1 or trainer.validating:
                raise KeyboardInterrupt
            self._told = True

        if threading.current_thread() is not threading.main_thread():
            return
        # There is no SIGUSR1 on Windows.
        for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)

    def on_train_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,
        batch: Item | Exception,
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Go on with a batch only if all processes have one."""
        self._note(batch)
        self._agree(pl_module)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Validate only what all processes have trained."""
        self._agree(pl_module)

    def on_validation_batch_start(
        self,
        trainer: Trainer,  # noqa: ARG002
        pl_module: LightningModule,  # noqa: ARG002
        batch: Item | Exception,
        *numbers: Any,  # noqa: ARG002
    ) -> None:
        """Take note of an image that cannot be read."""
        self._note(batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Measure only if all processes have judged their images."""
        self._agree(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Write only what all processes have trained."""
        self._agree(pl_module)

    def _note(self, batch: Item | Exception) -> None:
        if isinstance(batch, Exception):
            self._error = batch

    def _agree(self, job: LightningModule) -> None:
        problem = job.problem if isinstance(job, Task) else None
        agree(self._error or problem, stop=self._told)
