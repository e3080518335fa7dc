"""Thresholds of a calibrated model: moved so that decisions stay, or chosen for an aim."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.calibration.answers import Answers
from steel_defect_detection.calibration.operating_points import Aim, Decisions, Setting
from steel_defect_detection.calibration.temperature import moved
from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import ClassifierConfig
from steel_defect_detection.sample import are_defects


def refuse_hopeless(header: Header, dataset: Dataset) -> None:
    """Raise if no threshold can be chosen by the images, before they are looked at.

    Args:
        header: The model.
        dataset: Images with labels.

    Raises:
        ConfigError: If the model has no threshold that decides, the images have
            no masks where it only outlines, or all of them are of one kind.
    """
    network = _classifier(header)
    only_names = network is not None and network.exclusive and network.good_class is None
    if header.architecture == "classifier" and only_names:
        msg = "the model always names one class and none means good, so no threshold can be chosen"
        raise ConfigError(msg)
    outlined = any(entry.masks is not None for entry in dataset.entries)
    if header.architecture == "segmenter" and not outlined:
        msg = (
            "thresholds of outlines are chosen by masks, but none of the "
            f"{len(dataset)} images has one"
        )
        raise ConfigError(msg)
    labels = dataset.labels()
    bad = are_defects(header.classes, None if network is None else network.good_class)
    defective = np.asarray(labels[:, bad].any(axis=1))
    exclusive = network is not None and network.exclusive
    columns = defective[:, None] if exclusive else np.column_stack([labels, defective])
    if not (columns.any(axis=0) & ~columns.all(axis=0)).any():
        which = f"all {len(labels)} images show" if defective.any() else "no image shows"
        msg = (
            "no threshold can be chosen: that takes images with and without a defect, but "
            f"{which} one"
        )
        raise ConfigError(msg)


def of_images(header: Header, answers: Answers) -> list[Decisions]:
    """List what a model decides about whole images.

    Args:
        header: The model.
        answers: What it says of images.
    """
    if header.architecture != "classifier":
        gate = any_defect(answers, "gate")
        if answers.exclusive or not header.thresholds.only_named:
            return gate
        scores = answers.classes(answers.temperature)
        named = per_class("classes", header.classes, scores, answers.labels)
        return gate + [replace(one, name=f"{one.name}, named by the gate") for one in named]
    if answers.exclusive:
        return any_defect(answers, "defect")
    scores = answers.classes(answers.temperature)
    return per_class("classes", header.classes, scores, answers.labels)


def any_defect(answers: Answers, setting: Setting) -> list[Decisions]:
    """Make a decision of the probability of any defect, if an image can be free of them.

    Args:
        answers: What a model says of images.
        setting: Threshold that decides: ``gate``, or ``defect``, without which
            the likeliest class does.
    """
    if not answers.knows_clean:
        return []
    scores, unset = answers.any_defect(answers.temperature), answers.likeliest_is_defect()
    return [
        Decisions(
            name="any defect",
            setting=setting,
            scores=scores,
            defective=answers.defective,
            unset=unset if setting == "defect" else None,
        )
    ]


def per_class(
    setting: Setting,
    classes: Sequence[str],
    scores: NDArray[np.float64],
    truth: NDArray[np.bool_],
) -> list[Decisions]:
    """Make one decision of each class.

    Args:
        setting: Thresholds that decide.
        classes: Names of the classes.
        scores: 0 to 1, shape ``(images, classes)``.
        truth: Whether each class is there, bool, same shape.
    """
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


def kept(thresholds: Thresholds, answers: Answers, before: float) -> Thresholds:
    """Move thresholds so that decisions stay what they were at another temperature.

    All do, but for the probability of any defect of three or more classes that
    add up to 1, and for averages over mirrored copies: there a temperature changes
    which image is more suspicious. The threshold is then the one that changes the
    fewest decisions on the images.

    Args:
        thresholds: Those at the temperature before.
        answers: What the model says of images.
        before: The temperature before.
    """
    heat = answers.temperature / before
    said = answers.classes(before)
    scores = answers.classes(answers.temperature)
    decisions = per_class("classes", answers.names, scores, answers.labels)
    pairs = zip(decisions, thresholds.classes, said.T, strict=True)
    changes: dict[str, Any] = {
        "classes": tuple(
            decision.nearest(values >= value, moved(value, heat))
            for decision, value, values in pairs
        ),
        "gate": moved(thresholds.gate, heat),
    }
    if thresholds.defect is not None:
        changes["defect"] = moved(thresholds.defect, heat)
    for decision in any_defect(answers, "gate"):
        for name in changes.keys() & {"gate", "defect"}:
            called = np.asarray(answers.any_defect(before) >= getattr(thresholds, name))
            changes[name] = decision.nearest(called, changes[name])
    return thresholds.model_copy(update=changes)


def chosen(
    thresholds: Thresholds, decisions: Sequence[Decisions], aim: Aim
) -> tuple[Thresholds, dict[str, str]]:
    """Choose thresholds for an aim, where there are images to choose by.

    Args:
        thresholds: What stays where nothing can be chosen.
        decisions: What is decided.
        aim: What for.

    Returns:
        The thresholds, and why one was not chosen, by the name of the decision.

    Raises:
        ConfigError: If none can be chosen.
    """
    left = {}
    for decision in decisions:
        value: Any = decision.choose(aim)
        if value is None or not decision.finds(value):
            left[decision.name] = decision.why_not(aim)
            continue
        found = getattr(thresholds, decision.setting)
        if isinstance(found, tuple):
            value = (*found[: decision.place], value, *found[decision.place + 1 :])
        thresholds = thresholds.model_copy(update={decision.setting: value})
    if len(left) == len({decision.name for decision in decisions}):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left.items())
        msg = f"no threshold can be chosen for {aim}: {reasons}"
        raise ConfigError(msg)
    return thresholds, left


def _classifier(header: Header) -> ClassifierConfig | None:
    graph = header.graphs.get("classifier")
    network = None if graph is None else graph.network
    return network if isinstance(network, ClassifierConfig) else None
