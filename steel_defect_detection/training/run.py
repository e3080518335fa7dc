"""A training run: settings and a data set in, a run folder out.

::

    TrainConfig -> dataset -> split -> task -> Lightning's Trainer -> run folder

The run folder holds ``model.safetensors`` (the best epoch), ``config.json``,
``metrics.json``, ``epochs.csv``, ``split.csv``, and ``last.ckpt``, which
serves only to go on after an interruption: the same call again continues.
"""

import json
import logging
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint

from steel_defect_detection import checkpoints, files
from steel_defect_detection.checkpoints import Card, Header, Thresholds
from steel_defect_detection.datasets import severstal, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, DeviceError
from steel_defect_detection.models import weights
from steel_defect_detection.training import task
from steel_defect_detection.training.callbacks import EpochTable, KeepEpoch, Progress
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.data import loaders

MODEL = "model.safetensors"
_LAST = "last.ckpt"


def train(
    config: TrainConfig | CascadeConfig,
    data: Path | str | Dataset,
    output: Path | str,
    *,
    split: Path | str | None = None,
    overwrite: bool = False,
) -> Path:
    """Train a network, or the two of a cascade, and keep the best epoch.

    A run that was interrupted goes on when it is called again with the same
    settings and the same output folder.

    Args:
        config: Settings, from ``training.config.load`` or made by hand.
        data: Folder of a data set, or a data set.
        output: The run folder.
        split: A ``split.csv`` that says which images are ``train`` and which
            ``validation``; by default the images are parted by class.
        overwrite: Begin anew, even if the folder holds a run.

    Returns:
        The checkpoint that was written.

    Raises:
        ConfigError: If the settings do not fit the data, or the folder holds
            a finished run or one with other settings.
        DatasetNotFoundError: If there is no data set in the folder.
        AnnotationError: If its annotations are malformed.
        DeviceError: If the device is not there.
        TrainingError: If the loss is not finite.
        KeyboardInterrupt: After Ctrl-C; the epochs so far are kept.
    """
    output = Path(output)
    dataset = data if isinstance(data, Dataset) else severstal.read(data)
    if isinstance(config, TrainConfig):
        return _train_one(
            config, dataset, output, _parts(config, dataset, split, output), overwrite
        )
    parts = _parts(config.gate, dataset, split, output)
    stages = {
        name: _train_one(stage, dataset, output / name, parts, overwrite)
        for name, stage in (("gate", config.gate), ("segmenter", config.segmenter))
    }
    gate, segmenter = (checkpoints.load(path) for path in stages.values())
    cascade = checkpoints.join(gate, segmenter)
    checkpoints.save(output / MODEL, cascade.header, cascade.tensors)
    files.write_text(output / "config.json", config.model_dump_json(indent=2) + "\n")
    return output / MODEL


Parts = tuple[Dataset, Dataset]


def _parts(config: TrainConfig, dataset: Dataset, split: Path | str | None, output: Path) -> Parts:
    """Part the images into training and validation, and write down how."""
    if split is not None:
        parted = splits.read(Path(split), dataset)
        training, validation = (parted.get(name, dataset[:0]) for name in ("train", "validation"))
        if not len(training) or not (len(validation) or config.keep == "last"):
            msg = f"{split} must name images of both 'train' and 'validation'"
            raise ConfigError(msg)
    elif config.validation_share == 0:
        training, validation = dataset, dataset[:0]
    else:
        chosen = splits.by_image(dataset.labels(), share=config.validation_share, seed=config.seed)
        training = dataset.subset((~chosen).nonzero()[0])
        validation = dataset.subset(chosen.nonzero()[0])
    names = dict.fromkeys(training.names, "train") | dict.fromkeys(validation.names, "validation")
    splits.write(output / "split.csv", names)
    return training, validation


def _train_one(
    config: TrainConfig, dataset: Dataset, output: Path, parts: Parts, overwrite: bool
) -> Path:
    if _is_finished(config, output, overwrite=overwrite):
        return output / MODEL
    files.write_text(output / "config.json", config.model_dump_json(indent=2) + "\n")
    seed_everything(config.seed, workers=False, verbose=False)
    description = config.graph(dataset.classes)
    job = task.build(config, description)
    if not (output / _LAST).exists():
        _start_from(config.init, job)
    header = Header(
        architecture=config.kind,
        graphs={config.kind: description},
        classes=dataset.classes,
        thresholds=Thresholds.default(len(dataset.classes)),
        card=_card(config, dataset),
    )
    kept = KeepEpoch(output / MODEL, header, only_best=config.keep == "best")
    _fit(config, job, parts, output, kept)
    files.write_text(output / "metrics.json", json.dumps(kept.measures, indent=2) + "\n")
    return output / MODEL


def _is_finished(config: TrainConfig, output: Path, *, overwrite: bool) -> bool:
    """Tell whether the folder holds this very run, complete.

    Raises:
        ConfigError: If it holds a run with other settings.
    """
    if overwrite:
        for name in (_LAST, "metrics.json"):
            (output / name).unlink(missing_ok=True)
        return False
    if not (output / "config.json").exists():
        return False
    if (output / "config.json").read_text(encoding="utf-8").strip() != config.model_dump_json(
        indent=2
    ):
        msg = (
            f"{output} holds a run with other settings (config.json). "
            "Choose another --output, or add --overwrite to begin anew"
        )
        raise ConfigError(msg)
    return (output / "metrics.json").exists()


def _fit(config: TrainConfig, job: task.Task, parts: Parts, output: Path, kept: KeepEpoch) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    last = ModelCheckpoint(
        output, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    trainer = Trainer(
        accelerator=_accelerator(config.device),
        devices=1,
        precision="bf16-mixed" if _wants_bfloat16(config) else "32-true",
        max_epochs=config.epochs,
        gradient_clip_val=config.gradient_clip or None,
        callbacks=[kept, EpochTable(output / "epochs.csv"), Progress(), last],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=output,
    )
    resume = output / _LAST
    with warnings.catch_warnings():
        # Lightning remarks on the number of workers, on a folder that is not empty and on
        # being called in a notebook: none of it is for the person who trains.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        try:
            trainer.fit(
                job,
                *loaders(*parts, config),
                ckpt_path=str(resume) if resume.exists() else None,
                weights_only=True,
            )
        except SystemExit as stopped:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from stopped


def _start_from(init: str, job: task.Task) -> None:
    """Fill the network with weights to start from."""
    if init == "scratch":
        return
    if init == "imagenet":
        weights.imagenet(job.graph, job.description)
        return
    source = checkpoints.load(init)
    kind = min(source.header.graphs, key=lambda name: name != job.config.kind)
    encoder = source.header.graphs[kind].network.encoder
    if encoder != job.config.encoder:
        msg = (
            f"--init {init} has the encoder {encoder}, which does not fit {job.config.encoder}. "
            f"Add --encoder {encoder}"
        )
        raise ConfigError(msg)
    weights.transfer(job.graph, source.weights(kind))


def _accelerator(device: str) -> str:
    has_cuda = torch.cuda.is_available()
    if device not in {"auto", "cpu", "cuda"}:
        msg = f"device must be 'auto', 'cpu' or 'cuda', got {device!r}"
        raise DeviceError(msg)
    if device == "cuda" and not has_cuda:
        msg = "device 'cuda' was asked for, but PyTorch sees no such device. Use --device cpu"
        raise DeviceError(msg)
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def _wants_bfloat16(config: TrainConfig) -> bool:
    if config.precision != "auto":
        return config.precision == "bfloat16"
    if _accelerator(config.device) == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Emulated bfloat16 is slower than float32: only processors that have it count. Older
    # releases of PyTorch cannot tell.
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _card(config: TrainConfig, dataset: Dataset) -> Card:
    libraries = ("steel-defect-detection", "torch", "segmentation-models-pytorch")
    return Card(
        name=config.architecture,
        description=config.description,
        limits=f"Trained on {len(dataset)} images; judged on the validation part of these only.",
        measured="validation images of split.csv, at the best epoch by validation loss",
        created=datetime.now(UTC).date().isoformat(),
        versions={name: version(name) for name in libraries},
    )
