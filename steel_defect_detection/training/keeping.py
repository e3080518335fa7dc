"""The state of a run on the disk: the old one or the new one, never half of one."""

from io import BytesIO
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from steel_defect_detection import files


class WholeCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint beside its place and then moves it there.

    Lightning's own way begins in the system's folder for temporary files, so that where the run
    folder lies on another disk, the old checkpoint is overwritten bit by bit.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: Any,
        storage_options: Any = None,  # noqa: ARG002 -- Lightning's interface
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What ``torch.save`` can write.
            path: The file.
            storage_options: Not used.

        Raises:
            ResultsError: If it cannot be written; one that is there stays as it was.
        """
        content = BytesIO()
        torch.save(checkpoint, content)
        files.write_bytes(path, content.getbuffer())
