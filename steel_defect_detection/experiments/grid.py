"""The variants of a study: every choice of one value per axis, checked before any is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.study import Choice, ImageSettings, Study
from steel_defect_detection.training import presets
from steel_defect_detection.training.config import CascadeConfig, TrainConfig

# With a folder of this name, file names within stay below what systems allow.
_LONGEST_NAME = 120


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way of training.

    Args:
        name: Its name, and that of its folder.
        labels: Which value of each axis it has, by the axis.
        config: Settings of its first run.
        images: Which images it learns from.
    """

    name: str
    labels: Mapping[str, str]
    config: TrainConfig | CascadeConfig
    images: ImageSettings

    def stages(self) -> tuple[TrainConfig, ...]:
        """The settings of its one or two networks."""
        return stages(self.config)


def stages(config: TrainConfig | CascadeConfig) -> tuple[TrainConfig, ...]:
    """The settings of one network, or of the two of a cascade."""
    return (config,) if isinstance(config, TrainConfig) else (config.gate, config.segmenter)


def variants(study: Study) -> tuple[Variant, ...]:
    """Make the variants of a study; values of the last axis change fastest.

    Args:
        study: What is compared.

    Raises:
        ConfigError: If settings of a variant are impossible, two variants are
            the same, or they cannot be compared with each other.
    """
    found = tuple(_variant(study, choices) for choices in product(*map(study.choices, study.axes)))
    for one, other in combinations(found, 2):
        if (_plain(one.config), one.images) == (_plain(other.config), other.images):
            msg = f"the variants {one.name} and {other.name} are the same"
            raise ConfigError(msg)
    _check_together(found)
    return found


def _variant(study: Study, choices: tuple[Choice, ...]) -> Variant:
    name = ",".join(choice.name for choice in choices)
    if len(name) > _LONGEST_NAME:
        msg = (
            f"the variant {name} has a name of more than {_LONGEST_NAME} letters: use shorter ones"
        )
        raise ConfigError(msg)
    # Charts of each of many trainings cost time, and a study draws its own.
    settings: dict[str, Any] = {"pictures": False} | study.base
    for choice in choices:
        settings |= choice.settings
    of_images = {key: settings.pop(key) for key in ImageSettings.model_fields if key in settings}
    try:
        images = presets.validated(ImageSettings, of_images)
        config = presets.of_settings(settings)
    except ConfigError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from error
    labels = {choice.axis: choice.label for choice in choices}
    return Variant(name=name, labels=labels, config=config, images=images)


def _check_together(found: tuple[Variant, ...]) -> None:
    """Refuse variants whose images or seeds would differ, or which need several processes."""
    for what in ("validation_share", "seed"):
        values = {getattr(stage, what) for variant in found for stage in variant.stages()}
        if len(values) > 1:
            msg = (
                f"variants are compared on the same images, run by run: give all the same {what}, "
                f"got {', '.join(map(str, sorted(values)))}"
            )
            raise ConfigError(msg)
    if any(stage.devices * stage.nodes > 1 for variant in found for stage in variant.stages()):
        msg = "a study trains on one device at a time: set devices and nodes to 1"
        raise ConfigError(msg)


def _plain(config: TrainConfig | CascadeConfig) -> dict[str, Any]:
    """Settings without what they are called."""
    return dict(_without_words(config.model_dump()))


def _without_words(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if name != "description":
            yield name, dict(_without_words(value)) if isinstance(value, dict) else value
