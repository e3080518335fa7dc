"""A training run: settings and a data set in, a run folder out.

::

    TrainConfig -> dataset -> split -> task -> Lightning's Trainer -> run folder

The run folder holds ``model.safetensors`` (the best epoch), ``config.json``,
``metrics.json``, ``epochs.csv``, ``split.csv``, and ``last.ckpt``, which
serves only to go on after an interruption: the same call again continues.
"""

import logging
import os
import warnings
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, Header, Thresholds
from steel_defect_detection.datasets import layouts, leakage, splits
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import (
    ConfigError,
    DeviceError,
)
from steel_defect_detection.training import charts, folder, start, task
from steel_defect_detection.training.callbacks import (
    Baseline,
    Clock,
    EpochTable,
    KeepEpoch,
    Progress,
    averaging,
    early_ends,
)
from steel_defect_detection.training.class_weights import Counts, class_weights
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.data import loaders
from steel_defect_detection.training.plain_errors import interrupted, named_strategy, plain_errors
from steel_defect_detection.training.processes import is_first
from steel_defect_detection.training.start import Start


def train(  # noqa: PLR0913 -- one argument per option of sdd-train that is no setting
    config: TrainConfig | CascadeConfig,
    data: Path | str | Dataset,
    output: Path | str,
    *,
    split: Path | str | None = None,
    fold: int | None = None,
    layout: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Path:
    """Train a network, or the two of a cascade, and keep the best epoch.

    A run that was interrupted goes on when it is called again with the same
    settings, inputs and output folder; a finished one is not trained again.

    Args:
        config: Settings, from ``training.presets.load`` or made by hand.
        data: Folder of a data set, or a data set.
        output: The run folder.
        split: A ``split.csv`` that says which images are ``train`` and which
            ``validation``, or ``published`` for the parts that the data set
            came in; by default the images are parted by class and, where the
            data set has groups, by group.
        fold: Fold to validate on, if the ``split.csv`` has folds.
        layout: How the folder is laid out, a name of ``datasets.layouts``; by
            default it is recognised.
        resume: Go on with a run; refuse to begin one.
        overwrite: Begin anew, even if the folder holds a run.

    Returns:
        The checkpoint that was written.

    Raises:
        ConfigError: If the settings do not fit the data, the folder belongs to a
            run with other settings or inputs, or ``resume`` finds no run.
        DatasetNotFoundError: If there is no data set in the folder.
        AnnotationError: If its annotations are malformed.
        DeviceError: If the device is not there.
        TrainingError: If the loss is not finite, or ``last.ckpt`` is damaged.
        KeyboardInterrupt: After Ctrl-C; the epochs so far are kept.
    """
    output = Path(output)
    if resume:
        folder.check_resume(output, overwrite=overwrite)
    dataset = (data if isinstance(data, Dataset) else layouts.read(data, layout)).labelled()
    stages = (
        {"gate": config.gate, "segmenter": config.segmenter}
        if isinstance(config, CascadeConfig)
        else {"": config}
    )
    parts = _parts(next(iter(stages.values())), dataset, split, fold)
    starts = {name: _check(stage, dataset, parts) for name, stage in stages.items()}
    inputs = folder.fingerprint(parts, (begin.sha256 for begin in starts.values() if begin))
    folder.claim(output, config, inputs, overwrite=overwrite)
    _write_split(output, parts)
    for name, stage in stages.items():
        if name:
            folder.claim(output / name, stage, inputs, overwrite=overwrite)
        if not folder.is_finished(output / name):
            _train_one(stage, parts, output / name, starts[name])
        if isinstance(config, CascadeConfig) and config.shares_backbone:
            gate = checkpoints.load(output / "gate")
            starts["segmenter"] = start.of_checkpoint(config.segmenter, gate)
    if isinstance(config, CascadeConfig) and is_first():
        _join(output, config)
    return output / folder.MODEL


Parts = tuple[Dataset, Dataset]


def _parts(
    config: TrainConfig, dataset: Dataset, split: Path | str | None, fold: int | None
) -> Parts:
    """Part the images into training and validation."""
    if split is None and fold is not None:
        msg = f"fold {fold} belongs to a split.csv: name it with --split"
        raise ConfigError(msg)
    if split is not None:
        parted = splits.read(split, dataset, fold=fold)
        if str(split) != splits.PUBLISHED or "validation" in parted:
            return parted.get("train", dataset[:0]), parted.get("validation", dataset[:0])
        # Published in training and test images only: the latter are for the end.
        dataset = parted.get("train", dataset[:0])
    if config.validation_share == 0:
        return dataset, dataset[:0]
    chosen = _validation(config, dataset)
    return dataset.subset((~chosen).nonzero()[0]), dataset.subset(chosen.nonzero()[0])


def _validation(config: TrainConfig, dataset: Dataset) -> NDArray[np.bool_]:
    """Choose the images to validate on; groups stay whole."""
    share, seed = config.validation_share, config.seed
    if all(entry.group is None for entry in dataset.entries):
        return splits.by_image(dataset.labels(), share=share, seed=seed)
    parts = splits.assign(
        dataset.labels(),
        shares={"train": 1 - share, "validation": share},
        seed=seed,
        groups=leakage.groups(dataset, "given").tolist(),
    )
    return np.array([part == "validation" for part in parts])


def _write_split(output: Path, parts: Parts) -> None:
    training, validation = parts
    names = dict.fromkeys(training.names, "train") | dict.fromkeys(validation.names, "validation")
    splits.write(output / "split.csv", names)


def _check(config: TrainConfig, dataset: Dataset, parts: Parts) -> Start | None:
    """Refuse what cannot be trained before anything is written; find where to start from."""
    training, validation = parts
    if not len(training):
        msg = "there are no images to train on: the split names none as 'train'"
        raise ConfigError(msg)
    if not len(validation) and (config.keep == "best" or config.scheduler == "plateau"):
        msg = (
            "there are no images to validate on, which needs keep 'last' and a scheduler other "
            f"than 'plateau', got {config.keep!r} and {config.scheduler!r}"
        )
        raise ConfigError(msg)
    if not len(validation) and config.stops_by_validation:
        msg = (
            "there are no images to validate on, by which to stop: set early_stopping to 0, or "
            f"monitor to 'train_loss', got {config.early_stopping} and {config.monitor!r}"
        )
        raise ConfigError(msg)
    class_weights(config, dataset.classes)
    _accelerator(config.device)
    _check_machines(config)
    _check_aim(config, parts)
    return start.find(config)


def _check_machines(config: TrainConfig) -> None:
    """Several machines have to be told of each other, or they wait for ever."""
    told = {"MASTER_ADDR", "SLURM_JOB_ID"} & set(os.environ)
    if config.nodes > 1 and not told:
        msg = (
            f"nodes is {config.nodes}, but nothing says where the others are: start the command "
            "on each machine by torchrun or SLURM, or set MASTER_ADDR, MASTER_PORT and NODE_RANK"
        )
        raise ConfigError(msg)


def _check_aim(config: TrainConfig, parts: Parts) -> None:
    """Refuse what could be trained, but to no end."""
    exclusive = _is_exclusive(config, parts)
    graph_config = config.graph(parts[0].classes, exclusive=exclusive)
    if exclusive:
        _check_exclusive(config, parts)
    known = task.measured(graph_config)
    if config.monitor not in known:
        msg = f"monitor {config.monitor!r} is not measured here. Measured are: {', '.join(known)}"
        raise ConfigError(msg)
    labels = [entry.labels for entry in parts[0].entries if entry.labels is not None]
    if len(labels) == len(parts[0]) and not np.any(labels):
        msg = (
            "no training image shows any class, so there is nothing to learn: look with "
            "sdd-inspect whether masks or labels were found"
        )
        raise ConfigError(msg)
    network = graph_config.network
    if config.label_smoothing and not (network.kind == "classifier" and network.exclusive):
        msg = "label_smoothing needs images of which each shows exactly one class; set it to 0"
        raise ConfigError(msg)


def _check_exclusive(config: TrainConfig, parts: Parts) -> None:
    """Exclusive classes need images of which each shows exactly one, and a choice between two."""
    classes = parts[0].classes
    if len(classes) < 2:
        msg = (
            f"labels 'exclusive' needs at least 2 classes, got {', '.join(classes)} alone. "
            "Set labels to 'independent'"
        )
        raise ConfigError(msg)
    for entry in (entry for part in parts for entry in part.entries):
        shown = [name for name, shows in zip(classes, entry.labels or (), strict=False) if shows]
        if len(shown) != 1:
            msg = (
                "labels 'exclusive' needs images of which each shows exactly one class, but "
                f"{entry.name} shows {' and '.join(shown) or 'none'}. Set labels to 'independent', "
                "or leave such images out with --split"
            )
            raise ConfigError(msg)
    if config.crop_size and config.defect_crops < 1:
        msg = (
            "labels 'exclusive' needs crops that all show a defect, but with defect_crops "
            f"{config.defect_crops} some may show none. Set defect_crops to 1, crop_size to none, "
            "or labels to 'independent'"
        )
        raise ConfigError(msg)


def _train_one(config: TrainConfig, parts: Parts, output: Path, begin: Start | None) -> None:
    seed_everything(config.seed, workers=False, verbose=False)
    dataset = parts[0]
    exclusive = _is_exclusive(config, parts)
    graph_config = config.graph(dataset.classes, exclusive=exclusive, good_class=dataset.good_class)
    # What the setting "auto" has come to, for all who ask from here on.
    config = config.model_copy(update={"labels": "exclusive" if exclusive else "independent"})
    labels = dataset.labels()
    counts = Counts(tuple(labels.sum(axis=0).tolist()), len(labels))
    job = task.build(config, graph_config, counts)
    if not (output / folder.LAST).exists():
        start.fill(job, begin)
    header = Header(
        architecture=config.kind,
        graphs={config.kind: graph_config},
        classes=dataset.classes,
        background=dataset.good_class,
        thresholds=Thresholds.default(len(dataset.classes)),
        card=_card(config, parts),
    )
    kept = KeepEpoch(output / folder.MODEL, header, config)
    if not _fit(config, job, parts, output, kept):
        return
    if config.pictures:
        charts.draw(output, output / folder.MODEL, parts[1], device=config.device)
    folder.finish(output, kept.measures)


def _is_exclusive(config: TrainConfig, parts: Parts) -> bool:
    """Tell whether each image, or crop, shows exactly one class, or is said to."""
    if config.kind != "classifier" or config.labels == "independent":
        return False
    if config.labels == "exclusive":
        return True
    if len(parts[0].classes) < 2 or (config.crop_size and config.defect_crops < 1):
        return False
    known = [entry.labels for part in parts for entry in part.entries]
    return all(labels is not None and sum(labels) == 1 for labels in known)


def _join(output: Path, config: CascadeConfig) -> None:
    """Make one checkpoint of the two runs."""
    gate, segmenter = (checkpoints.load(output / name) for name in ("gate", "segmenter"))
    both = (
        checkpoints.share(segmenter)
        if config.shares_backbone
        else (checkpoints.join(gate, segmenter))
    )
    checkpoints.save(output / folder.MODEL, both.header, both.tensors)
    metrics = {
        "gate": gate.header.card.metrics,
        "segmenter": segmenter.header.card.metrics,
    }
    folder.finish(output, metrics)


def _fit(config: TrainConfig, job: task.Task, parts: Parts, output: Path, kept: KeepEpoch) -> bool:
    """Train; of several processes only the first is told to write what is left to write."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    last = ModelCheckpoint(
        output, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    clock = Clock()
    with named_strategy(config):
        trainer = Trainer(
            accelerator=_accelerator(config.device),
            devices=config.devices,
            num_nodes=config.nodes,
            strategy=config.strategy,
            # The sampler deals images out to the processes by itself.
            use_distributed_sampler=False,
            precision="bf16-mixed" if _wants_bfloat16(config) else "32-true",
            max_epochs=config.epochs,
            gradient_clip_val=config.gradient_clip or None,
            accumulate_grad_batches=config.accumulate,
            callbacks=[
                *averaging(config),
                kept,
                clock,
                EpochTable(output / "epochs.csv", clock),
                Progress(),
                Baseline(kept),
                *early_ends(config, kept),
                last,
            ],
            logger=TensorBoardLogger(output, name="", version="tensorboard"),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=output,
        )
    with warnings.catch_warnings():
        # Lightning remarks on the number of workers, on a folder that is not empty and on
        # being called in a notebook: none of it is for the person who trains.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        with plain_errors(config), interrupted(output / folder.LAST) as state:
            trainer.fit(job, *loaders(*parts, config), ckpt_path=state, weights_only=True)
    # Nobody goes on before the first process has written the checkpoint.
    trainer.strategy.barrier()
    return bool(trainer.is_global_zero)


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


def _card(config: TrainConfig, parts: Parts) -> Card:
    what = f"{config.architecture} with the encoder {config.encoder}"
    libraries = ("steel-defect-detection", "torch", "segmentation-models-pytorch")
    return Card(
        name=config.architecture,
        description=f"Trained as {what}. Its preset: {config.description or 'none'}",
        limits=f"Trained on {len(parts[0])} images and judged on {len(parts[1])} only.",
        measured=f"validation images of split.csv, at the {config.keep} epoch",
        created=datetime.now(UTC).date().isoformat(),
        versions={name: version(name) for name in libraries},
    )
