"""Study: what is compared, as a JSON file says it.

::

    {
      "name": "rates",
      "base": {"preset": "neu-cls", "epochs": 10},
      "axes": {
        "learning_rate": [0.001, 0.01],
        "model": {"small": {"encoder": "shufflenet_v2"}, "large": {"encoder": "resnet50"}}
      },
      "runs": 3
    }

An axis is a list of values of one setting, or named sets of settings. Each
choice of one value per axis is a variant.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, JsonValue, model_validator

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.models.config import Frozen
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.presets import nearest

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_WORD = 40
# Columns that the table of runs has anyway.
_COLUMNS = {"variant", "run", "training_images", "synthetic_images", "epoch", "seconds", "error"}
_OWN = {
    "seed": "run 1 of each variant has the seed of 'base', run 2 the next one, and so on",
    "description": "the study has one of its own",
}


class ImageSettings(Frozen):
    """Which images a variant learns from; settings like those of ``TrainConfig``."""

    fraction: float = Field(
        default=1.0, gt=0, le=1, description="Share of the training images to learn from."
    )
    images_per_class: int = Field(
        default=0, ge=0, description="Training images to keep of each class; 0: all."
    )
    synthetic_ratio: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of synthetic images. With images_per_class they take the place of real "
        "ones; else they are added to the real ones.",
    )
    synthetic_way: Literal["transplant", "draw"] = Field(
        default="transplant",
        description="Synthetic defects are cut out of training images, or drawn.",
    )

    @model_validator(mode="after")
    def _some_are_real(self) -> Self:
        if self.synthetic_ratio == 1 and not self.images_per_class:
            msg = (
                "synthetic_ratio 1 leaves no real image and does not say how many synthetic ones "
                "there are: set images_per_class"
            )
            raise ValueError(msg)
        return self


class Choice(NamedTuple):
    """One value of an axis.

    Args:
        axis: Name of the axis.
        label: Name of the value.
        name: What it adds to the name of a variant.
        settings: Settings that it stands for.
    """

    axis: str
    label: str
    name: str
    settings: Mapping[str, Any]


class Study(Frozen):
    """What is compared, how often, and on which images."""

    name: str = Field(description="A word for folders and headings.")
    description: str = Field(default="", description="What is compared, and why.")
    base: dict[str, JsonValue] = Field(
        default_factory=dict, description="Settings of all variants; 'preset' names a preset."
    )
    axes: dict[str, Any] = Field(
        description="What differs: lists of values by setting, or named sets of settings."
    )
    runs: int = Field(default=3, ge=1, description="Trainings of each variant.")
    part: Literal["validation", "test"] = Field(
        default="validation", description="Images that the finished models are measured on."
    )
    test_share: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the images kept back for the test."
    )
    folds: int = Field(
        default=0,
        ge=0,
        description="Parts of the images, of which each run keeps back another one; 0: all runs "
        "keep back the same images.",
    )
    measures: tuple[str, ...] = Field(
        default=(), description="Measures of the table; by default those that suit the images."
    )
    explain: (
        Literal["integrated-gradients", "saliency", "deeplift", "guided-backprop", "grad-cam"]
        | None
    ) = Field(
        default=None, description="Method that shows what the first run of each variant looks at."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        _check_word(self.name, "name")
        if self.folds == 1:
            msg = "folds must be 0 or at least 2, got 1"
            raise ValueError(msg)
        if not self.axes:
            msg = "axes are missing: a study compares two variants or more"
            raise ValueError(msg)
        _check_settings(self.base, "base", {"seed"})
        choices = [choice for axis in self.axes for choice in self.choices(axis)]
        setters: dict[str, str] = {}
        for choice in choices:
            for setting in choice.settings:
                if setters.setdefault(setting, choice.axis) != choice.axis:
                    msg = (
                        f"the axes {setters[setting]!r} and {choice.axis!r} both set {setting}: "
                        "one would undo what the other does"
                    )
                    raise ValueError(msg)
        return self

    def choices(self, axis: str) -> tuple[Choice, ...]:
        """List the values of an axis, in order.

        Args:
            axis: Its name.

        Raises:
            ValueError: If it has none, one of them twice, or unknown settings.
        """
        values = self.axes[axis]
        _check_word(axis, "axis")
        if axis in _COLUMNS:
            msg = f"an axis cannot be called {axis!r}: a column of runs.csv is"
            raise ValueError(msg)
        if not isinstance(values, list | dict) or not values:
            msg = f"the axis {axis!r} needs a list of values, or named sets of settings"
            raise ValueError(msg)
        found = tuple(_listed(axis, values) if isinstance(values, list) else _named(axis, values))
        labels = Counter(choice.label.casefold() for choice in found)
        doubles = [choice.label for choice in found if labels[choice.label.casefold()] > 1]
        if doubles:
            msg = f"the axis {axis!r} has {doubles[0]!r} twice"
            raise ValueError(msg)
        return found

    def changed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Give all variants the same value of some settings.

        Args:
            settings: Settings by name, which go before those of the study.

        Returns:
            The content of the changed study, to be checked as a whole.

        Raises:
            ConfigError: If one of them is what an axis compares.
        """
        axes = {}
        for axis, values in self.axes.items():
            if axis in settings and isinstance(values, list):
                msg = f"{axis} is what the study compares, so it cannot be set for all"
                raise ConfigError(msg)
            axes[axis] = values if isinstance(values, list) else _without(values, settings)
        return self.model_dump() | {"base": self.base | dict(settings), "axes": axes}


def _without(
    named: Mapping[str, Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Take settings out of named sets of them."""
    return {
        label: {name: value for name, value in chosen.items() if name not in settings}
        for label, chosen in named.items()
    }


def _listed(axis: str, values: list[Any]) -> Iterator[Choice]:
    _check_settings({axis: None}, "axes", set())
    for value in values:
        label = _label(value)
        if not _WORD.fullmatch(label) or len(label) > _LONGEST_WORD:
            msg = (
                f"the axis {axis!r} has {label!r}, which is no name for a folder: give it one, "
                f'as in {{"{axis}": {{"first": {{"{axis}": {json.dumps(value)}}}}}}}'
            )
            raise ValueError(msg)
        yield Choice(axis, label, f"{axis}={label}", {axis: value})


def _named(axis: str, values: dict[str, Any]) -> Iterator[Choice]:
    for label, settings in values.items():
        _check_word(label, f"axes.{axis}")
        if not isinstance(settings, dict):
            msg = f"axes.{axis}.{label} must be an object of settings, got {settings!r}"
            raise ValueError(msg)
        _check_settings(settings, f"axes.{axis}.{label}", set())
        yield Choice(axis, label, label, settings)


def _label(value: Any) -> str:
    """Write a value as a word for a folder: 0.01, true, none, 256x320."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return "x".join(map(_label, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _check_word(word: str, place: str) -> None:
    if not _WORD.fullmatch(word) or len(word) > _LONGEST_WORD:
        msg = (
            f"{place}: expected a word of at most {_LONGEST_WORD} letters, digits, '.', '_' and "
            f"'-', got {word!r}"
        )
        raise ValueError(msg)


def _check_settings(settings: Mapping[str, Any], place: str, allowed: set[str]) -> None:
    known = {"preset", "gate", "segmenter", *TrainConfig.model_fields, *ImageSettings.model_fields}
    for name in settings:
        if name in _OWN.keys() - allowed:
            msg = f"{place}: {name!r} cannot be set: {_OWN[name]}"
            raise ValueError(msg)
        if name not in known:
            msg = f"{place}: unknown setting {name!r}.{nearest(name, known)}"
            raise ValueError(msg)
