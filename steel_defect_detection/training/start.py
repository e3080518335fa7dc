"""Weights that a run starts from: random, learned on ImageNet, or from a file.

A file is one of this package's checkpoints, or the weights that torchvision or
efficientnet-pytorch publish for the encoder (``resnet50-11ad3fa6.pth`` and the
like), for machines without a network.
"""

import hashlib
import io
import pickle
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Checkpoint
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.models import weights
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.processes import is_first
from steel_defect_detection.training.task import Task

_PUBLISHED_ENDINGS = {".pth", ".pt", ".bin"}
_MOST_UNUSED = 0.1


@dataclass(frozen=True, eq=False)
class Start:
    """Weights from a file.

    Args:
        source: The file.
        sha256: Its hash.
        tensors: The weights by name.
    """

    source: str
    sha256: str
    tensors: Mapping[str, NDArray[np.generic]]


def find(config: TrainConfig) -> Start | None:
    """Read the file that a run starts from, if it starts from one.

    Args:
        config: Settings of the run.

    Raises:
        CheckpointError: If there is no such file, or it holds no weights.
        ConfigError: If it is the checkpoint of another encoder.
    """
    if config.init in {"scratch", "imagenet"}:
        return None
    path = Path(config.init)
    if path.suffix in _PUBLISHED_ENDINGS:
        return _published(path)
    return of_checkpoint(config, checkpoints.load(config.init))


def of_checkpoint(config: TrainConfig, checkpoint: Checkpoint) -> Start:
    """Take the weights of the graph of the same kind, or of the only one.

    Args:
        config: Settings of the run that starts.
        checkpoint: What it starts from.

    Raises:
        ConfigError: If its encoder is another one.
    """
    graphs = checkpoint.header.graphs
    network = (graphs.get(config.kind) or next(iter(graphs.values()))).network
    if network.encoder != config.encoder:
        msg = (
            f"--init {config.init} has the encoder {network.encoder}, which does not fit "
            f"{config.encoder}. Add --encoder {network.encoder}"
        )
        raise ConfigError(msg)
    return Start(checkpoint.source, checkpoint.sha256, checkpoint.weights(network.kind))


def fill(job: Task, start: Start | None) -> None:
    """Put the weights that a run starts from into its network.

    Args:
        job: The task, whose network has random weights.
        start: What ``find`` found.

    Raises:
        CheckpointError: If a weight is not a finite number.
        DownloadError: If weights of ImageNet cannot be fetched.
        ConfigError: If nobody publishes such, or the file has none of the
            encoder's.
    """
    graph, config = job.graph, job.config
    if start is None:
        if config.init == "imagenet":
            weights.imagenet(graph, job.graph_config)
        return
    if not all(np.isfinite(tensor).all() for tensor in start.tensors.values()):
        msg = f"{start.source} holds weights that are no numbers: train it again or take another"
        raise CheckpointError(msg)
    taken = weights.transfer(graph, start.tensors)
    encoder = weights.encoder_names(graph)
    missing = [name for name in encoder if name not in taken]
    if len(missing) == len(encoder):
        msg = f"--init {config.init} holds nothing that fits the encoder {config.encoder}"
        raise ConfigError(msg)
    if missing and is_first():
        sys.stderr.write(
            f"warning: {len(missing)} of {len(encoder)} weights of the encoder are not in "
            f"{start.source} and start at random, for example {missing[0]}\n"
        )
    unused = len(start.tensors) - len(taken)
    # Of a file that others published, all but the head, which was left out, belongs to its encoder.
    is_published = Path(start.source).suffix in _PUBLISHED_ENDINGS
    if is_published and unused > _MOST_UNUSED * len(start.tensors) and is_first():
        sys.stderr.write(
            f"warning: {unused} of {len(start.tensors)} tensors in {start.source} fit nothing in "
            f"the encoder {config.encoder}: is the file of another encoder?\n"
        )


def _published(path: Path) -> Start:
    """Read weights as other libraries publish them; nothing in the file is run."""
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise CheckpointError(msg) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it remarks on files that other programs wrote
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        msg = (
            f"{path} is no file of weights alone: it is damaged, or holds more, such as a whole "
            "pickled network, which could run code. Nothing in it was run. Save its state_dict() "
            "alone, or name another file"
        )
        raise CheckpointError(msg) from error
    # What several devices trained together is called "module." first.
    state = {str(name).removeprefix("module."): value for name, value in _state(content).items()}
    tensors = {
        name: value.float().numpy()
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and not name.startswith(weights.HEADS)
    }
    if not tensors:
        msg = f"{path} holds no weights: expected tensors by name"
        raise CheckpointError(msg)
    return Start(str(path), hashlib.sha256(data).hexdigest(), tensors)


def _state(content: Any) -> dict[str, Any]:
    """The tensors by name, which some keep one level deeper."""
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    return content if isinstance(content, dict) else {}
