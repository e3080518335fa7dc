"""What a run is computed on, in Lightning's words, and in which arithmetic."""

import os

import torch

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.runtimes.pytorch import find_device
from steel_defect_detection.training.config import TrainConfig


def check(config: TrainConfig) -> None:
    """Refuse devices and machines that are not there.

    Args:
        config: Settings of the run.

    Raises:
        DeviceError: If the device is not there.
        ConfigError: If one device is named and several are asked for, or
            nothing tells several machines of each other.
    """
    find_device(config.device)
    if _is_numbered(config) and config.devices > 1:
        msg = (
            f"device {config.device!r} is a single one, but devices is {config.devices}. "
            "Leave its number out, or set devices to 1"
        )
        raise ConfigError(msg)
    # Without them the machines would wait for each other for ever.
    told = {"MASTER_ADDR", "SLURM_JOB_ID"} & set(os.environ)
    if config.nodes > 1 and not told:
        msg = (
            f"nodes is {config.nodes}, but nothing says where the others are: start the command "
            "on each machine by torchrun or SLURM, or set MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )
        raise ConfigError(msg)


def accelerator(config: TrainConfig) -> str:
    """Kind of device, for Lightning's ``Trainer(accelerator=…)``.

    Args:
        config: Settings of the run.
    """
    return find_device(config.device).type


def chosen(config: TrainConfig) -> int | list[int]:
    """How many devices, or which, for Lightning's ``Trainer(devices=…)``.

    Args:
        config: Settings of the run.
    """
    device = find_device(config.device)
    return [device.index] if device.type == "cuda" and _is_numbered(config) else config.devices


def wants_bfloat16(config: TrainConfig) -> bool:
    """Whether to compute in bfloat16, as the settings or else the device have it.

    Args:
        config: Settings of the run.
    """
    if config.precision != "auto":
        return config.precision == "bfloat16"
    # Distances to centroids are differences of large numbers.
    if config.head == "duq":
        return False
    if find_device(config.device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Only processors with units for it count: emulated bfloat16 is slower than float32, and so
    # are AVX-512's instructions, by a third, since the layers between the convolutions lose more
    # than those gain. Older releases of PyTorch cannot tell.
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name, False) for name in ("amx_bf16", "bf16"))


def _is_numbered(config: TrainConfig) -> bool:
    """Whether one device among several is meant, such as ``cuda:1``."""
    return ":" in config.device
