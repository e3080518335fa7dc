"""Change where defects begin, for all classes or for one by name."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from steel_defect_detection.checkpoints import Header, Thresholds
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import ClassifierConfig

PerClass = float | Mapping[str, float]
"""One number for all classes, or a number by class name."""


def change(
    header: Header,
    *,
    threshold: PerClass | None = None,
    gate_threshold: float | None = None,
    min_area: PerClass | None = None,
    least_familiarity: float | None = None,
    only_named: bool | None = None,
) -> Thresholds:
    """Change the thresholds of a model where the caller says so.

    Args:
        header: Header of the model.
        threshold: Probability from which a pixel is part of a defect; for a
            classifier, from which an image shows a class.
        gate_threshold: Probability of any defect from which the gate fires; for a
            classifier of exclusive classes, one of which is good, from which an
            image is none of the good ones.
        min_area: Least pixels of a connected defect.
        least_familiarity: Familiarity below which an image is unfamiliar.
        only_named: Whether only classes that the gate names are outlined.

    Raises:
        ConfigError: If a number is out of range, names a class that the model
            does not know, or the model has no such threshold.
    """
    changes: dict[str, Any] = {}
    if gate_threshold is not None:
        changes[_gate_field(header)] = gate_threshold
    if only_named is not None:
        changes["only_named"] = _only_named(header, wanted=only_named)
    if threshold is not None:
        field = _class_field(header)
        changes[field] = _per_class(threshold, header.classes, getattr(header.thresholds, field))
    if least_familiarity is not None:
        changes["familiarity"] = _familiarity(least_familiarity, header)
    if min_area is not None:
        changes["min_areas"] = _min_areas(min_area, header)
    try:
        return Thresholds.model_validate(header.thresholds.model_dump() | changes)
    except ValidationError as error:
        msg = error.errors()[0]["msg"].removeprefix("Value error, ")
        got = ", ".join(f"{name} {value}" for name, value in changes.items())
        msg = f"{msg} ({got})"
        raise ConfigError(msg) from error


def _gate_field(header: Header) -> str:
    """Name of the threshold that parts defective images from good ones."""
    if header.architecture == "classifier" and header.background and _network(header).adds_up:
        return "defect"
    if header.architecture in {"classifier", "segmenter"}:
        msg = f"the model is a {header.architecture} without a gate, so it has no gate threshold"
        raise ConfigError(msg)
    return "gate"


def _class_field(header: Header) -> str:
    """Name of the thresholds of classes: of whole images, or of pixels."""
    if header.architecture != "classifier":
        return "pixels"
    if _network(header).adds_up:
        msg = (
            "of the classes of this model each image gets the likeliest one, so they have no "
            "thresholds"
        )
        if header.background:
            msg += f". From when on an image is not {header.background} says --gate-threshold"
        raise ConfigError(msg)
    return "classes"


def _network(header: Header) -> ClassifierConfig:
    network = header.graphs["classifier"].network
    assert isinstance(network, ClassifierConfig), "checked by the header"
    return network


def _only_named(header: Header, *, wanted: bool) -> bool:
    if wanted and header.architecture in {"classifier", "segmenter"}:
        msg = (
            f"the model is a {header.architecture} without a gate, so no gate names what it may "
            "outline. Give it one with --gate, or leave --only-named out"
        )
        raise ConfigError(msg)
    return wanted


def _familiarity(value: float, header: Header) -> float:
    if value > 0 and not any(graph.familiarity for graph in header.graphs.values()):
        msg = (
            "the model does not know what is familiar, so it has no least familiarity. "
            "Calibrate it with sdd-calibrate, and without --no-familiarity"
        )
        raise ConfigError(msg)
    if not 0 <= value <= 1:
        msg = f"the least familiarity must be 0 to 1, got {value:g}"
        raise ConfigError(msg)
    return value


def _min_areas(values: PerClass, header: Header) -> tuple[int, ...]:
    if header.architecture == "classifier":
        msg = "the model is a classifier, which outlines nothing, so it has no least area"
        raise ConfigError(msg)
    least = _per_class(values, header.classes, header.thresholds.min_areas)
    if not all(float(area).is_integer() for area in least):
        msg = f"least areas must be whole numbers of pixels, got {least}"
        raise ConfigError(msg)
    return tuple(int(area) for area in least)


def _per_class(
    values: PerClass, classes: tuple[str, ...], stored: tuple[float, ...]
) -> tuple[float, ...]:
    if not isinstance(values, Mapping):
        return (values,) * len(classes)
    unknown = sorted(set(values) - set(classes))
    if unknown:
        msg = f"the model has no class {unknown[0]!r}; its classes are {', '.join(classes)}"
        raise ConfigError(msg)
    named = zip(classes, stored, strict=True)
    return tuple(values.get(name, default) for name, default in named)
