"""The processes that train together: how they meet, and what they tell each other.

A run is one process, or several that were started with the same command by
torchrun, by SLURM or by Lightning. They meet before anything is written. Only
the first of them writes and speaks: ``agree`` raises there what any of them has
met, and lets the others end without a word, so that there is one message, one
exit status, and nobody who waits.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from steel_defect_detection.errors import ConfigError, SteelDefectError, TrainingError
from steel_defect_detection.training.config import CascadeConfig, TrainConfig

if TYPE_CHECKING:
    from torch import Tensor

Value = TypeVar("Value")


class EndedQuietly(SystemExit):
    """The end of a process that leaves the last word to the first one."""


def processes() -> tuple[int, int]:
    """Number of this process, from 0, and how many there are."""
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first() -> bool:
    """Whether this process is the one that writes what all have in common."""
    return processes()[0] == 0


def started_as_first() -> bool:
    """Whether this process will be the first one, by what torchrun, SLURM or Lightning say."""
    names = next(
        (names for names in (("RANK",), ("LOCAL_RANK", "NODE_RANK")) if names[0] in os.environ),
        ("SLURM_PROCID",),
    )
    return all(os.environ.get(name, "0") == "0" for name in names)


def join(config: TrainConfig | CascadeConfig) -> None:
    """Meet the other processes of a run; where nobody has started them, start them.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: If another number of processes was started than the settings
            say, or they do not find each other.
        DeviceError: If the device is not there.
        EndedQuietly: Where the first process says what is wrong.
    """
    from torch import distributed

    from steel_defect_detection.training import devices

    if isinstance(config, CascadeConfig):
        config = config.gate
    with _said_by_the_first():
        _check_number(config)
        devices.check(config)
    if config.devices * config.nodes == 1 or distributed.is_initialized():
        return
    _meet(config)
    _talk()


def gathered(value: Value) -> list[Value]:
    """What each process gives, in the order of the processes; all have to call this.

    Args:
        value: What this process gives; it is pickled.
    """
    from torch import distributed

    count = processes()[1]
    if count == 1:
        return [value]
    found: list[Any] = [None] * count
    with _nobody_lost():
        distributed.all_gather_object(found, value, group=_talk())
    return found


def of_first(value: Value) -> Value:
    """What the first process gives; all have to call this.

    Args:
        value: What this process gives.
    """
    return gathered(value)[0]


def collected(values: Iterable[Value]) -> list[Value]:
    """Put together what was dealt out in turns, in its old order; all have to call this.

    Args:
        values: This process's share.
    """
    missing = object()
    rounds = zip_longest(*gathered(list(values)), fillvalue=missing)
    return [value for value in chain.from_iterable(rounds) if value is not missing]  # type: ignore[misc]


def share(tensors: "Iterable[Tensor]") -> None:
    """Give all processes the first one's values; all have to call this.

    Args:
        tensors: Changed in place, on the device of the run.
    """
    from torch import distributed

    if processes()[1] == 1:
        return
    for tensor in tensors:
        distributed.broadcast(tensor, 0)


def agree(error: Exception | None = None, *, stop: bool = False) -> None:
    """Go on only if all processes can; all have to call this.

    Args:
        error: What this process has met.
        stop: Whether this process was told to stop.

    Raises:
        Exception: In the first process, the error of any.
        KeyboardInterrupt: In the first process, if any was told to stop.
        EndedQuietly: In the others, in both cases.
    """
    if not _any(error is not None or stop):
        return
    met = [found for found in gathered(error) if found is not None]
    if not is_first():
        # Not 1: whoever started the processes would end the first one before it has spoken.
        raise EndedQuietly(0)
    raise met[0] if met else KeyboardInterrupt


@contextmanager
def together() -> Iterator[None]:
    """Make an error of one process that of all, at the end of a block that all go through."""
    try:
        yield
    except SteelDefectError as error:
        agree(error)
    else:
        agree()


def lost() -> NoReturn:
    """End this process because another one has.

    Raises:
        TrainingError: In the first process.
        EndedQuietly: In the others.
    """
    if not is_first():
        raise EndedQuietly(1)
    msg = (
        "one of the other processes has ended; if it had time to say why, it stands above. The "
        "same command goes on from the last epoch"
    )
    raise TrainingError(msg)


def _check_number(config: TrainConfig) -> None:
    """Refuse to train alone what several processes were started for, and the other way round."""
    started = None
    if "TORCHELASTIC_RUN_ID" in os.environ:
        started = os.environ["WORLD_SIZE"]
    elif os.environ.get("SLURM_JOB_NAME") not in {"bash", "interactive"}:
        started = os.environ.get("SLURM_STEP_NUM_TASKS")
    if started not in {None, str(config.devices * config.nodes)}:
        msg = (
            f"{started} processes were started, but devices x nodes is {config.devices} x "
            f"{config.nodes}: set --devices to the processes per machine, --nodes to the machines"
        )
        raise ConfigError(msg)


@contextmanager
def _said_by_the_first() -> Iterator[None]:
    """Leave to the first process what all processes see alike."""
    try:
        yield
    except ConfigError:
        if started_as_first():
            raise
        raise EndedQuietly(0) from None


def _meet(config: TrainConfig) -> None:
    from lightning.fabric import Fabric
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from steel_defect_detection.training import devices

    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        Fabric(
            accelerator=devices.accelerator(config),
            devices=devices.chosen(config),
            num_nodes=config.nodes,
            strategy="ddp",
        ).launch()
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        if not (started_as_first() or isinstance(error, RuntimeError)):
            raise EndedQuietly(0) from None
        msg = f"the processes cannot train together: {' '.join(str(error).split())[:300]}"
        raise ConfigError(msg) from error


@cache
def _talk() -> Any:
    """The group in which processes tell each other things that are no tensors of the device."""
    from torch import distributed

    return distributed.new_group(backend="gloo")


@contextmanager
def _nobody_lost() -> Iterator[None]:
    try:
        yield
    except RuntimeError:
        lost()


def _any(said: bool) -> bool:
    """Whether any process says so."""
    import torch
    from torch import distributed

    if processes()[1] == 1:
        return said
    flag = torch.tensor(int(said))
    with _nobody_lost():
        distributed.all_reduce(flag, distributed.ReduceOp.MAX, group=_talk())
    return bool(flag)
