"""Errors of the libraries that train, said in one line with what to try."""

import pickle
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from steel_defect_detection.errors import SteelDefectError, TrainingError
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import EndedQuietly, lost, processes


@contextmanager
def interrupted(last: Path) -> Iterator[str | None]:
    """Give the state of an interrupted run to go on from, if there is one.

    Args:
        last: Where such a state would be.

    Raises:
        TrainingError: If it cannot be read, or holds something else than numbers.
    """
    msg = f"{last} is damaged, so the run cannot go on. Add --overwrite to begin anew"
    if last.exists() and not zipfile.is_zipfile(last):
        raise TrainingError(msg)
    try:
        yield str(last) if last.exists() else None
    except pickle.UnpicklingError as error:
        raise TrainingError(msg) from error


@contextmanager
def plain_errors(config: TrainConfig) -> Iterator[None]:
    """Say in one line what libraries say in many.

    Args:
        config: Settings of the run.
    """
    try:
        yield
    except EndedQuietly:
        raise
    except SystemExit as stopped:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from stopped
    except SteelDefectError as error:
        # A worker process sends its error as the text of a whole traceback.
        last = str(error).rstrip().splitlines()[-1]
        if "Original Traceback" not in str(error):
            raise
        raise type(error)(last.partition(": ")[2]) from error
    except (RuntimeError, ValueError) as error:
        if processes()[1] > 1 and _is_of_another_process(error):
            lost()
        advice = _advice(error, config)
        if advice is None:
            raise
        raise TrainingError(advice) from error


def _is_of_another_process(error: Exception) -> bool:
    """Whether the connection to another process broke, in the words of gloo or NCCL."""
    text = str(error)
    words = ("closed by peer", "reset by peer", "Broken pipe", "remote process exited")
    return any(word in text for word in words)


def _advice(error: Exception, config: TrainConfig) -> str | None:
    """What to try, for errors whose cause is known."""
    text = str(error)
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in text:
        return (
            "memory ran out. Try a smaller --batch-size (with --accumulate to make up for it), "
            "--crop-size, --size or --scale"
        )
    if "DataLoader worker" in text:
        return (
            "a process that reads images was ended from outside, most often because memory ran "
            f"out. Try fewer --workers than {config.workers}, or a smaller --batch-size; the same "
            "command goes on from the last epoch"
        )
    if "more than 1 value per channel" in text:
        return (
            f"a batch of {config.batch_size} with crop_size {config.crop_size} shrinks to one "
            "value per channel, from which nothing can be learned: raise one of them"
        )
    return None
