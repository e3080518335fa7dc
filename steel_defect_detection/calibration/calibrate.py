"""Calibrate a model: how sure it may sound, where it decides, and what it knows.

::

    checkpoint + labelled images -> looks -> temperature, thresholds, familiarity
        -> a checkpoint that carries them, to every runtime and every export
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import checkpoints
from steel_defect_detection.calibration import density, looks
from steel_defect_detection.calibration.answers import Answers, Said
from steel_defect_detection.calibration.looks import Observer, Seen
from steel_defect_detection.calibration.operating_points import Aim, Decisions, Setting
from steel_defect_detection.calibration.temperature import moved
from steel_defect_detection.checkpoints import Calibration, Checkpoint, Header, Thresholds
from steel_defect_detection.checkpoints.file import PREFIXES
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.familiarity import PREFIX, Familiarity

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
    """

    checkpoint: Checkpoint
    decisions: Sequence[Decisions]
    aim: Aim | None
    said: Sequence[Said]
    metrics: Mapping[str, Any]
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def points(self) -> list[dict[str, Any]]:
        """What the thresholds of the model do, as ``Decisions.at`` says it."""
        thresholds = self.checkpoint.header.thresholds
        return [decision.at(decision.threshold(thresholds)) for decision in self.decisions]

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
        kept: Share of familiar images that are to be called familiar, 0.5 to
            below 1; None for a model that calls nothing unfamiliar.
        data: Where the images came from, for the record.
        split: Part of a split that they are, for the record.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        progress: Whether to show a bar, if standard error is a terminal.

    Raises:
        CheckpointError: If the model is missing or damaged.
        ConfigError: If the classes differ, there are too few images, or the
            model has no thresholds that an aim could choose.
        NoImagesError: If there are no images.
        ImageError: If none of them can be read.
        AnnotationError: If an image has no labels.
    """
    checkpoint = model if isinstance(model, Checkpoint) else checkpoints.load(model)
    _check(checkpoint, dataset, kept)
    problems: dict[str, str] = {}
    observer = looks.Observer(checkpoint, device=device)

    def observe(images: Dataset) -> list[Seen]:
        return looks.observe(observer, images.labelled(), problems=problems, progress=progress)

    seen = observe(dataset)
    decides = checkpoint.header.graphs[observer.graph].network
    answers = None if decides.kind == "segmenter" else Answers(decides, seen)
    decisions = [] if answers is None else _of_images(checkpoint.header, answers)
    if checkpoint.header.architecture != "classifier":
        found = looks.outline_scores(checkpoint, dataset, device=device, progress=progress)
        decisions += _per_class("pixels", checkpoint.header.classes, *found)
    calibrated = _decided(checkpoint, observer.graph, answers, decisions, aim)
    metrics: dict[str, Any] = {} if answers is None else answers.metrics()
    if kept is not None:
        learned = [] if training is None else observe(training)
        calibrated = _with_familiarity(calibrated, observer, learned, seen, kept)
        metrics |= {"familiar_images": len(learned or seen), "familiar_share_kept": kept}
    record = Calibration(
        images=len(seen),
        data=data,
        split=split,
        aim="" if aim is None else str(aim),
        metrics=metrics,
        created=datetime.now(UTC).date().isoformat(),
    )
    header = calibrated.header.model_copy(update={"calibration": record})
    return Calibrated(
        checkpoint=replace(calibrated, header=header),
        decisions=decisions,
        aim=aim,
        said=[] if answers is None else answers.said(),
        metrics=metrics,
        unreadable=problems,
    )


def place_for(model: str | Path, save: Path | None = None) -> Path:
    """Where the calibrated form of a model is to be written.

    Args:
        model: Checkpoint file, run folder or built-in name.
        save: A file for it; by default it replaces the model.

    Raises:
        CheckpointError: If there is no such model.
        ConfigError: If the model comes with the package, and no file is named.
    """
    found = checkpoints.find(model)
    if save is not None:
        return save
    if str(model) in checkpoints.built_in():
        msg = f"{model!r} comes with the package and stays as it is: name a file with --save"
        raise ConfigError(msg)
    return found


def _check(checkpoint: Checkpoint, dataset: Dataset, kept: float | None) -> None:
    if kept is not None and not 0.5 <= kept < 1:
        msg = f"the share of familiar images to keep must be 0.5 to below 1, got {kept}"
        raise ConfigError(msg)
    if dataset.classes != checkpoint.header.classes:
        msg = (
            f"the data have the classes {', '.join(dataset.classes)}, but the model knows "
            f"{', '.join(checkpoint.header.classes)}"
        )
        raise ConfigError(msg)


def _of_images(header: Header, answers: Answers) -> list[Decisions]:
    """What is decided about whole images."""
    heat = answers.temperature
    independent = header.architecture == "classifier" and not answers.exclusive
    if independent:
        return _per_class("classes", header.classes, answers.classes(heat), answers.labels)
    if not answers.knows_clean:
        return []
    setting: Setting = "defect" if header.architecture == "classifier" else "gate"
    return [
        Decisions(
            name="any defect",
            setting=setting,
            scores=answers.any_defect(heat),
            defective=answers.defective,
        )
    ]


def _per_class(
    setting: Setting,
    classes: Sequence[str],
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
) -> list[Decisions]:
    if not len(scores):
        return []
    return [
        Decisions(
            name=name,
            setting=setting,
            place=place,
            scores=scores[:, place],
            defective=truth[:, place],
        )
        for place, name in enumerate(classes)
    ]


def _decided(
    checkpoint: Checkpoint,
    graph: str,
    answers: Answers | None,
    decisions: Sequence[Decisions],
    aim: Aim | None,
) -> Checkpoint:
    """The model with another temperature and thresholds, and as yet without familiarity."""
    if aim is not None and not decisions:
        msg = "the model always names one class and none means good, so no threshold can be chosen"
        raise ConfigError(msg)
    header = checkpoint.header
    heat = 1.0 if answers is None else answers.temperature
    thresholds = _kept(header.thresholds, heat / header.graphs[graph].temperature)
    if aim is not None:
        thresholds = _chosen(thresholds, decisions, aim)
    config = looks.as_trained(header.graphs[graph]).model_copy(update={"temperature": heat})
    changes = {"graphs": header.graphs | {graph: config}, "thresholds": thresholds}
    cut = _prefix(header, graph) + PREFIX
    tensors = {
        name: value for name, value in checkpoint.tensors.items() if not name.startswith(cut)
    }
    return replace(checkpoint, header=header.model_copy(update=changes), tensors=tensors)


def _kept(thresholds: Thresholds, heat: float) -> Thresholds:
    """Thresholds by which all decisions stay what they were, when logits are divided."""
    changes: dict[str, Any] = {
        "gate": moved(thresholds.gate, heat),
        "classes": tuple(moved(value, heat) for value in thresholds.classes),
        "defect": None if thresholds.defect is None else moved(thresholds.defect, heat),
        "familiarity": 0.0,
    }
    return thresholds.model_copy(update=changes)


def _chosen(thresholds: Thresholds, decisions: Sequence[Decisions], aim: Aim) -> Thresholds:
    """Thresholds for an aim, where there are images to choose by."""
    for decision in decisions:
        value: Any = decision.choose(aim)
        if value is None:
            continue
        found = getattr(thresholds, decision.setting)
        if isinstance(found, tuple):
            value = (*found[: decision.place], value, *found[decision.place + 1 :])
        thresholds = thresholds.model_copy(update={decision.setting: value})
    return thresholds


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
    return replace(
        checkpoint,
        header=header.model_copy(update=changes),
        tensors={**checkpoint.tensors, **tensors},
    )


def _prefix(header: Header, graph: str) -> str:
    """How the tensors of a graph begin in the model's file."""
    return PREFIXES.get((header.architecture, graph), ((), ""))[1]
