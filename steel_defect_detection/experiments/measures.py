"""Measures of finished models: by one name each, and which of them a table shows."""

from collections.abc import Iterable, Mapping
from typing import Any

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.evaluation.evaluation import DEFINITIONS
from steel_defect_detection.training.presets import nearest

SHOWN = {
    "any_defect": ("auroc", "accuracy"),
    "classes": ("f1_macro", "accuracy"),
    "outlines": ("dice_on_defects", "iou_on_defects"),
}
"""Measures of a table by section, unless a study names others."""


def flat(summary: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Give each measure that is one number a name of its own, such as ``classes.f1_macro``.

    Args:
        summary: Measures by section and name, as ``Evaluation.summary`` gives them.
    """
    return {
        f"{section}.{name}": float(value)
        for section, values in summary.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }


def check(names: Iterable[str]) -> None:
    """Refuse names of measures that do not exist.

    Args:
        names: Such as ``outlines.miou``.

    Raises:
        ConfigError: If there is no such measure.
    """
    known = [f"{section}.{name}" for section, named in DEFINITIONS.items() for name in named]
    for name in names:
        if name not in known:
            msg = f"there is no measure {name!r}.{nearest(name, known)}"
            raise ConfigError(msg)


def shown(wanted: tuple[str, ...], found: Iterable[Mapping[str, float]]) -> tuple[str, ...]:
    """Choose the measures of a table.

    Args:
        wanted: What the study names, if anything.
        found: Measures of the runs by name.
    """
    known = {name for measures in found for name in measures}
    usual = (f"{section}.{name}" for section, names in SHOWN.items() for name in names)
    return tuple(name for name in wanted or usual if name in known)


def without_model(
    names: Iterable[str], found: Iterable[Mapping[str, float]]
) -> dict[str, float | None]:
    """Say what measures are if the commonest answer is always given.

    Args:
        names: Measures.
        found: Measures of the runs by name.

    Returns:
        The mean over the runs by measure; None where it is not known.
    """
    rows = list(found)
    values = {
        name: [row[f"{name}_majority"] for row in rows if f"{name}_majority" in row]
        for name in names
    }
    return {name: sum(known) / len(known) if known else None for name, known in values.items()}


def meaning(name: str) -> str:
    """Say what a measure is, in a sentence."""
    section, _, word = name.partition(".")
    return DEFINITIONS[section][word]
