"""A training run: settings and a data set in, a run folder out.

::

    TrainConfig -> dataset -> split -> task -> Lightning's Trainer -> run folder

The run folder holds ``model.safetensors`` (the best epoch), ``config.json``,
``metrics.json``, ``epochs.csv``, ``split.csv``, and ``last.ckpt``, which
serves only to go on after an interruption: the same call again continues.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lightning import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from steel_defect_detection import checkpoints
from steel_defect_detection.checkpoints import Card, Header, Thresholds
from steel_defect_detection.datasets import layouts, origins
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.runtimes.locks import alone
from steel_defect_detection.training import (
    charts,
    checks,
    devices,
    folder,
    memory,
    parting,
    processes,
    start,
    strategies,
    task,
)
from steel_defect_detection.training.agreement import Agreement
from steel_defect_detection.training.callbacks import (
    Baseline,
    Clock,
    EpochTable,
    KeepEpoch,
    Progress,
    averaging,
    early_ends,
)
from steel_defect_detection.training.class_weights import Counts
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.data import loaders
from steel_defect_detection.training.keeping import WholeCheckpoints
from steel_defect_detection.training.parting import Parts
from steel_defect_detection.training.plain_errors import interrupted, plain_errors
from steel_defect_detection.training.processes import gathered, is_first, of_first, together
from steel_defect_detection.training.start import Start

_LOG = logging.getLogger(__name__)


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
            run with other settings or inputs or is that of the data, or ``resume``
            finds no run.
        DatasetNotFoundError: If there is no data set in the folder.
        AnnotationError: If its annotations are malformed.
        DeviceError: If the device is not there.
        ResultsError: If another program trains in the folder.
        TrainingError: If the loss is not finite, or ``last.ckpt`` is damaged.
        KeyboardInterrupt: After Ctrl-C, SIGTERM or SIGUSR1; the epochs so far are
            kept.
        SystemExit: In all processes but the first, which raises the error.
    """
    output, stages = Path(output), _stages(config)
    processes.join(config)
    with together():
        folder.check_place(output, data)
        if resume:
            folder.check_resume(output, overwrite=overwrite)
        dataset = (data if isinstance(data, Dataset) else layouts.read(data, layout)).labelled()
        parts = parting.part(next(iter(stages.values())), dataset, split, fold)
        for stage in stages.values():
            checks.check(stage, parts)
        starts = {name: start.find(stage) for name, stage in stages.items()}
        inputs = folder.fingerprint(parts, (begin.sha256 for begin in starts.values() if begin))
    with _alone(output):
        _claim(output, config, inputs, overwrite=overwrite)
        written = _write_split(output, parts, split)
        with _given_back([output, *(output / name for name in stages if name)], with_split=written):
            for name, stage in stages.items():
                if name:
                    _claim(output / name, stage, inputs, overwrite=overwrite)
                if not of_first(folder.is_finished(output / name)):
                    _train_one(stage, parts, output / name, starts[name])
                if isinstance(config, CascadeConfig) and config.shares_backbone:
                    gate = checkpoints.load(output / "gate")
                    starts["segmenter"] = start.of_checkpoint(config.segmenter, gate)
        if isinstance(config, CascadeConfig):
            _join(output, config)
    return output / folder.MODEL


def _stages(config: object) -> dict[str, TrainConfig]:
    """Settings of each run, by the name of its folder within the run folder."""
    if isinstance(config, CascadeConfig):
        return {"gate": config.gate, "segmenter": config.segmenter}
    if isinstance(config, TrainConfig):
        return {"": config}
    msg = f"expected settings, got {config!r}: training.presets.load({config!r}) reads them"
    raise ConfigError(msg)


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep other runs out of the folder, in the name of all processes."""
    with ExitStack() as held:
        with together():
            if is_first():
                held.enter_context(alone(output))
        yield


@contextmanager
def _given_back(homes: Sequence[Path], *, with_split: bool) -> Iterator[None]:
    """Give folders back where a run fails before its first epoch; Ctrl-C is no failure."""
    try:
        yield
    except Exception:
        if is_first():
            folder.release(homes, with_split=with_split)
        raise


def _claim(
    output: Path, config: TrainConfig | CascadeConfig, inputs: str, *, overwrite: bool
) -> None:
    """Take the folder in the name of all processes, which have to see it and the same images."""
    differ = len(set(gathered(inputs))) > 1
    with together():
        if differ:
            msg = (
                "the processes do not see the same images or start from the same weights: put "
                "them into a folder that all machines share"
            )
            raise ConfigError(msg)
        if is_first():
            if isinstance(config, TrainConfig) and not overwrite:
                folder.check_processes(output, config)
            folder.claim(output, config, inputs, overwrite=overwrite)
    with together():
        if not (output / folder.CONFIG).exists():
            msg = (
                f"{output}, which the first process has made, is not there for all others: choose "
                "an --output in a folder that all machines share"
            )
            raise ConfigError(msg)


def _write_split(output: Path, parts: Parts, named: Path | str | None) -> bool:
    """Write the parts down, but not over the very file that named them; tell whether."""
    if named is not None and Path(named).resolve() == (output / folder.SPLIT).resolve():
        return False
    with together():
        if is_first():
            parting.write(output / folder.SPLIT, parts)
    return True


def _train_one(config: TrainConfig, parts: Parts, output: Path, begin: Start | None) -> None:
    seed_everything(config.seed, workers=False, verbose=False)
    dataset = parts[0]
    exclusive = parting.is_exclusive(config, parts)
    graph_config = config.graph(dataset.classes, exclusive=exclusive, good_class=dataset.good_class)
    # What the setting "auto" has come to, for all who ask from here on.
    config = config.model_copy(update={"labels": "exclusive" if exclusive else "independent"})
    labels = dataset.labels()
    counts = Counts(tuple(labels.sum(axis=0).tolist()), len(labels))
    job = task.build(config, graph_config, counts)
    with together():
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
    _fit(config, job, parts, output, kept)
    with together():
        if not is_first():
            return
        if config.pictures:
            charts.draw(output, output / folder.MODEL, parts[1], device=config.device)
        folder.finish(output, kept.measures)


def _join(output: Path, config: CascadeConfig) -> None:
    """Make one checkpoint of the two runs."""
    with together():
        if not is_first():
            return
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


def _fit(config: TrainConfig, job: task.Task, parts: Parts, output: Path, kept: KeepEpoch) -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    last = ModelCheckpoint(
        output, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    if devices.accelerator(config) == "cpu":
        memory.keep_freed_memory()
    clock = Clock()
    count = config.devices * config.nodes
    if count > 1 and is_first():
        _LOG.info("%d processes train together, %d images each per step", count, config.batch_size)
    trainer = Trainer(
        accelerator=devices.accelerator(config),
        devices=devices.chosen(config),
        num_nodes=config.nodes,
        strategy=strategies.strategy(config),
        # The sampler deals images out to the processes by itself.
        use_distributed_sampler=False,
        precision="bf16-mixed" if devices.wants_bfloat16(config) else "32-true",
        max_epochs=config.epochs,
        gradient_clip_val=config.gradient_clip or None,
        accumulate_grad_batches=config.accumulate,
        callbacks=[
            Agreement(),
            *averaging(config),
            kept,
            clock,
            EpochTable(output / "epochs.csv", clock),
            Progress(),
            Baseline(kept),
            *early_ends(config, kept),
            last,
        ],
        plugins=[WholeCheckpoints()],
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
        # Two workers on one processor are slower by little.
        warnings.filterwarnings("ignore", message=".*DataLoader will create .* worker processes.*")
        with plain_errors(config), interrupted(output / folder.LAST) as state:
            trainer.fit(job, *loaders(*parts, config), ckpt_path=state, weights_only=True)


def _card(config: TrainConfig, parts: Parts) -> Card:
    what = f"{config.architecture} with the encoder {config.encoder}"
    note = f"; {parts[0].note}" if parts[0].note else ""
    synthetic = origins.count_synthetic(parts[0])
    made = f" ({synthetic} of them synthetic)" if synthetic else ""
    libraries = ("steel-defect-detection", "torch", "segmentation-models-pytorch")
    return Card(
        name=config.architecture,
        description=f"Trained as {what}. Its preset: {config.description or 'none'}",
        limits=f"Trained on {len(parts[0])} images{made} and judged on {len(parts[1])} only.",
        measured=f"validation images of split.csv, at the {config.keep} epoch{note}",
        created=datetime.now(UTC).date().isoformat(),
        versions={name: version(name) for name in libraries},
        image_size=parts[0].median_size(),
    )
