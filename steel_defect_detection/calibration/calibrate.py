"""Calibrate a model: how sure it may sound, where it decides, and what it knows.

::

    checkpoint + labelled images -> looks -> temperature, thresholds, familiarity
        -> a checkpoint that carries them, to every runtime and every export
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from steel_defect_detection import checkpoints
from steel_defect_detection.calibration import density, looks, thresholds
from steel_defect_detection.calibration.answers import Answers, Said
from steel_defect_detection.calibration.looks import Observer, Seen
from steel_defect_detection.calibration.operating_points import Aim, Decisions
from steel_defect_detection.checkpoints import Calibration, Checkpoint, Header
from steel_defect_detection.checkpoints.file import PREFIXES
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import CheckpointError, ConfigError
from steel_defect_detection.export.reading import is_export
from steel_defect_detection.models.config import Flips
from steel_defect_detection.models.familiarity import PREFIX, Familiarity
from steel_defect_detection.predictors.limits import change
from steel_defect_detection.runtimes.flips import refuse_unknown

KEPT = 0.98
"""Share of familiar images that are called familiar, unless another is asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A calibrated model, and what was found out about it.

    Args:
        checkpoint: The model; ``save`` writes it.
        decisions: Scores of the images for each thing that is decided.
        aim: What the thresholds were chosen for; None if they were kept.
        said: Probabilities before and after; empty for models that only outline.
        metrics: What was measured, by name.
        unreadable: What is wrong with images that could not be read, by name.
        not_chosen: Why there is no new threshold for an aim, by the name of the
            decision.
    """

    checkpoint: Checkpoint
    decisions: Sequence[Decisions]
    aim: Aim | None
    said: Sequence[Said]
    metrics: Mapping[str, Any]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    not_chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def points(self) -> list[dict[str, Any]]:
        """What the thresholds of the model do, as ``Decisions.at`` says it."""
        limits = self.checkpoint.header.thresholds
        return [decision.at(decision.threshold(limits)) for decision in self.decisions]

    def save(self, path: Path | str) -> None:
        """Write the calibrated model.

        Args:
            path: The file to write.

        Raises:
            ResultsError: If it cannot be written.
        """
        checkpoints.save(Path(path), self.checkpoint.header, self.checkpoint.tensors)


def calibrate(  # noqa: PLR0913 -- one argument per option of sdd-calibrate
    model: str | Path | Checkpoint,
    dataset: Dataset,
    *,
    training: Dataset | None = None,
    aim: Aim | None = None,
    kept: float | None = KEPT,
    data: str = "",
    split: str = "",
    flips: Flips | None = None,
    only_named: bool | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Calibrated:
    """Calibrate a model on labelled images that it has not learned from.

    Args:
        model: Name of a built-in model, a checkpoint file, a run folder, or a
            checkpoint.
        dataset: The images.
        training: Images that the model did learn from: what is familiar is then
            learned from them, and where it ends from ``dataset``. Without them
            both come from ``dataset``, each fold of it judged by the others.
        aim: What to choose thresholds for; by default every decision stays as
            it is.
        kept: Share of familiar images that are to be called familiar, above 0.5
            and below 1; None for a model that calls nothing unfamiliar.
        data: Where the images came from, for the record.
        split: Part of a split that they are, for the record.
        flips: Mirrored copies of each image that the model is to look at from now
            on, too; by default as before.
        only_named: Whether only classes that the gate names are outlined from now
            on; by default as before.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        CheckpointError: If the model is missing or damaged.
        ConfigError: If the classes differ, there are too few images, no such
            flips or no gate to name classes, or no threshold can be chosen for the aim.
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If an image has no labels.
    """
    checkpoint = _read(model, only_named)
    flips = flips or checkpoint.header.flips
    refuse_unknown(flips)
    _check(checkpoint.header, dataset, kept)
    problems: dict[str, str] = {}
    dataset = looks.labelled(dataset, problems)
    _check_labels(checkpoint.header, dataset, aim)
    observer = looks.Observer(checkpoint, device=device)

    observe = partial(looks.observe, observer, problems=problems, progress=progress)
    seen = observe(dataset, flips=flips)
    decides = checkpoint.header.graphs[observer.graph].network
    answers = None if decides.kind == "segmenter" else Answers(decides, seen)
    decisions = [] if answers is None else thresholds.of_images(checkpoint.header, answers)
    if checkpoint.header.architecture != "classifier":
        found = looks.outline_scores(
            checkpoint, dataset, flips=flips, device=device, progress=progress
        )
        decisions += thresholds.per_class("pixels", dataset.classes, *found)
    calibrated = _cooled(checkpoint, observer.graph, answers)
    calibrated, not_chosen = _decided(calibrated, answers, decisions, aim)
    metrics: dict[str, Any] = {} if answers is None else answers.metrics()
    if kept is not None:
        learned = [] if training is None else observe(looks.labelled(training, problems))
        calibrated = _with_familiarity(calibrated, observer, learned, seen, kept)
        metrics |= {"familiar_images": len(learned or seen), "familiar_share_kept": kept}
    record = Calibration(
        images=len(seen),
        data=data,
        split=split,
        aim=_in_words(aim, list(not_chosen)),
        metrics=metrics,
        created=datetime.now(UTC).date().isoformat(),
    )
    return Calibrated(
        checkpoint=_with_header(calibrated, calibration=record, flips=flips),
        decisions=decisions,
        aim=aim,
        said=[] if answers is None else answers.said(),
        metrics=metrics,
        unreadable=problems,
        not_chosen=not_chosen,
    )


def place_for(model: str | Path, save: Path | None = None, *, overwrite: bool = False) -> Path:
    """Where the calibrated form of a model is to be written.

    Args:
        model: Checkpoint file, run folder or built-in name.
        save: A file for it, ending with ``.safetensors``; by default it
            replaces the model.
        overwrite: Whether ``save`` may be a file that is there.

    Raises:
        CheckpointError: If there is no such model, or it is an export.
        ConfigError: If the model comes with the package, and no file is named, or
            a file that is there or no model's.
    """
    if is_export(model):
        msg = (
            f"{model} is an export, which keeps the numbers it was made with: calibrate its "
            "checkpoint, and export that again"
        )
        raise CheckpointError(msg)
    found = checkpoints.find(model)
    if save is not None:
        if save.suffix != ".safetensors":
            msg = f"a model's file ends with .safetensors, got {str(save)!r}"
            raise ConfigError(msg)
        if save.exists() and not overwrite:
            msg = f"{save} is there already. Name another file, or add --overwrite"
            raise ConfigError(msg)
        return save
    if str(model) in checkpoints.built_in():
        msg = f"{model!r} comes with the package and stays as it is: name a file with --save"
        raise ConfigError(msg)
    return found


def _read(model: str | Path | Checkpoint, only_named: bool | None) -> Checkpoint:
    checkpoint = model if isinstance(model, Checkpoint) else checkpoints.load(model)
    return _with_header(checkpoint, thresholds=change(checkpoint.header, only_named=only_named))


def _check(header: Header, dataset: Dataset, kept: float | None) -> None:
    if kept is not None and not 0.5 < kept < 1:
        msg = (
            "the share of familiar images to keep must be above 0.5 and below 1, such as "
            f"{KEPT}, got {kept:g}"
        )
        raise ConfigError(msg)
    if dataset.classes != header.classes:
        msg = (
            f"the data have the classes {', '.join(dataset.classes)}, but the model knows "
            f"{', '.join(header.classes)}"
        )
        raise ConfigError(msg)


def _check_labels(header: Header, dataset: Dataset, aim: Aim | None) -> None:
    """Raise if the truth is of another kind than what the model says, or than the aim needs."""
    if aim is not None:
        thresholds.refuse_hopeless(header, dataset)
    graph = header.graphs.get("classifier")
    if graph is None or graph.network.kind != "classifier" or not graph.network.exclusive:
        return
    shown = dataset.labels().sum(axis=1)
    others = [name for name, count in zip(dataset.names, shown, strict=True) if count != 1]
    if others:
        msg = (
            f"the model names one class of each image, but {len(others)} of {len(dataset)} images "
            f"show none or several, first: {', '.join(others[:3])}"
        )
        raise ConfigError(msg)


def _cooled(checkpoint: Checkpoint, graph: str, answers: Answers | None) -> Checkpoint:
    """The model at another temperature that decides as before, and knows no familiarity yet."""
    header = checkpoint.header
    limits = header.thresholds.model_copy(update={"familiarity": 0.0})
    heat = 1.0
    if answers is not None:
        heat = answers.temperature
        limits = thresholds.kept(limits, answers, header.graphs[graph].temperature)
    config = looks.as_trained(header.graphs[graph]).model_copy(update={"temperature": heat})
    changes = {"graphs": header.graphs | {graph: config}, "thresholds": limits}
    cut = _prefix(header, graph) + PREFIX
    tensors = {
        name: value for name, value in checkpoint.tensors.items() if not name.startswith(cut)
    }
    return _with_header(replace(checkpoint, tensors=tensors), **changes)


def _decided(
    checkpoint: Checkpoint,
    answers: Answers | None,
    decisions: Sequence[Decisions],
    aim: Aim | None,
) -> tuple[Checkpoint, dict[str, str]]:
    """The model with thresholds for an aim, and why there are none for some decisions."""
    if aim is None:
        return checkpoint, {}
    header = checkpoint.header
    further: list[Decisions] = []
    if header.architecture == "classifier" and answers is not None:
        # It may be asked before a segmenter one day, and then this threshold is all that counts.
        gate = thresholds.any_defect(answers, "gate")
        further = [replace(decision, name="any defect, as a gate") for decision in gate]
    limits, left = thresholds.chosen(header.thresholds, [*decisions, *further], aim)
    return _with_header(checkpoint, thresholds=limits), left


def _familiarity(
    observer: Observer, learned: Sequence[Seen], seen: Sequence[Seen], kept: float
) -> Familiarity:
    """Fit the density; its kinds are the classes, where each image shows exactly one."""
    one_each = all(one.labels.sum() == 1 for one in (*learned, *seen))

    def looks_at(images: Sequence[Seen]) -> list[density.Look]:
        return [
            density.Look(
                numbers=one.numbers,
                kind=int(one.labels.argmax()) if one_each else 0,
                group=one.group,
            )
            for one in images
        ]

    held_out = looks_at(seen) if learned else ()
    return density.fit(looks_at(learned or seen), observer.channels, held_out=held_out, kept=kept)


def _with_familiarity(
    checkpoint: Checkpoint,
    observer: Observer,
    learned: Sequence[Seen],
    seen: Sequence[Seen],
    kept: float,
) -> Checkpoint:
    found = _familiarity(observer, learned, seen, kept)
    header = checkpoint.header
    config = header.graphs[observer.graph].model_copy(update={"familiarity": found.config})
    changes = {
        "graphs": header.graphs | {observer.graph: config},
        "thresholds": header.thresholds.model_copy(update={"familiarity": 1 - kept}),
    }
    prefix = _prefix(header, observer.graph) + PREFIX
    tensors = {name: value.numpy() for name, value in found.state_dict(prefix=prefix).items()}
    return _with_header(replace(checkpoint, tensors={**checkpoint.tensors, **tensors}), **changes)


def _in_words(aim: Aim | None, but: Sequence[str]) -> str:
    if aim is None:
        return ""
    return f"{aim}" + (f", but not for {', '.join(but)}" if but else "")


def _with_header(checkpoint: Checkpoint, **changes: Any) -> Checkpoint:
    return replace(checkpoint, header=checkpoint.header.model_copy(update=changes))


def _prefix(header: Header, graph: str) -> str:
    """How the tensors of a graph begin in the model's file."""
    return PREFIXES.get((header.architecture, graph), ((), ""))[1]
