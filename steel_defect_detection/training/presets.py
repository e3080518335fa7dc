"""Presets: the settings of the reference systems, as JSON files that commands can name."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import prints_json, prints_settings
from steel_defect_detection.training.config import CascadeConfig, TrainConfig

_PARTS = ("gate", "segmenter")
_Config = TypeVar("_Config", bound=BaseModel)


def names() -> tuple[str, ...]:
    """Names of the presets that come with the package, sorted."""
    return packaged("presets")


def packaged(folder: str) -> tuple[str, ...]:
    """Names of the JSON files in a folder of the package, sorted.

    Args:
        folder: Such as ``presets``.
    """
    found = (resources.files("steel_defect_detection") / folder).iterdir()
    return tuple(sorted(file.name[:-5] for file in found if file.name.endswith(".json")))


def content(name_or_file: str | Path, folder: str, what: str) -> dict[str, Any]:
    """Read a JSON object that comes with the package, or that of a file.

    Args:
        name_or_file: Its name, as ``packaged`` lists it, or the path of a JSON file.
        folder: Folder of the package.
        what: What one of them is called.

    Raises:
        ConfigError: If there is no such name or file, or it holds no JSON object.
    """
    name, known = str(name_or_file), packaged(folder)
    try:
        file = resources.files("steel_defect_detection") / folder / f"{name}.json"
        place = file if name in known else Path(name)
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = (
            f"{name!r} is neither a {what} nor a readable file."
            f"{nearest(name, known)} {folder.capitalize()}: {', '.join(known)}"
        )
        raise ConfigError(msg) from error
    try:
        found = json.loads(text, object_pairs_hook=prints_json.once)
    except (ValueError, RecursionError) as error:
        msg = f"{name} is not JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(found, dict):
        msg = f"{name} holds no {what}: expected a JSON object"
        raise ConfigError(msg)
    return found


def load(preset_or_file: str | Path, **changes: Any) -> TrainConfig | CascadeConfig:
    """Read a preset or a JSON file and change some of its settings.

    Args:
        preset_or_file: Name of a preset, or path of a JSON file. A file may
            name a ``preset``, of which it changes some settings. In a cascade,
            ``gate`` and ``segmenter`` may name presets, or change some settings
            of that run. Experiment files of
            the prints system are read too, over the ``DEFAULT.json`` that lies
            beside them, or else the published one.
        **changes: Settings by name; in a cascade they change both runs.

    Raises:
        ConfigError: If there is no such preset or file, it is no JSON, or a
            setting is unknown or impossible.
    """
    return _config(_read(preset_or_file), changes)


def of_settings(settings: Mapping[str, Any]) -> TrainConfig | CascadeConfig:
    """Make the settings of a run from what a JSON file of them would hold.

    Args:
        settings: Settings by name; ``preset`` may name a preset or file, which the
            others change, in a cascade in both runs.

    Raises:
        ConfigError: As ``load``.
    """
    changes = dict(settings)
    if "preset" in changes:
        return load(changes.pop("preset"), **changes)
    return _config(changes, {})


def _config(settings: dict[str, Any], changes: dict[str, Any]) -> TrainConfig | CascadeConfig:
    """Check settings with some changes to them."""
    if "gate" not in settings and "segmenter" not in settings:
        return validated(TrainConfig, settings | changes)
    # What a file says beside both runs is meant for both, and what it says of one only for that.
    both = {name: settings.pop(name) for name in set(settings) & set(TrainConfig.model_fields)}
    if "description" in both:
        settings["description"] = both.pop("description")
    for name in _PARTS:
        stage = _stage(settings.get(name, {}), name)
        settings[name] = stage.known | both | stage.own | changes
    return validated(CascadeConfig, settings)


def _read(preset_or_file: str | Path) -> dict[str, Any]:
    settings = content(preset_or_file, "presets", "preset")
    if prints_json.recognises(settings):
        return _prints_experiment(Path(preset_or_file), settings)
    if "preset" not in settings:
        return settings
    base = settings.pop("preset")
    if base not in names():
        msg = f"{preset_or_file}: there is no preset {base!r}.{nearest(str(base), names())}"
        raise ConfigError(msg)
    known = _read(base)
    for name in set(_PARTS) & set(known):
        stage, own = _stage(known[name], name), settings.get(name, {})
        if isinstance(own, dict) and "preset" not in own:
            settings[name] = _Stage(stage.known | stage.own, own)
    return known | settings


class _Stage(NamedTuple):
    """Settings of one of a cascade's runs: what is known of it, and what a file changes."""

    known: dict[str, Any]
    own: dict[str, Any]


def _stage(stage: Any, name: str) -> _Stage:
    """Settings of one of a cascade's runs, which may be or have the name of a preset."""
    if isinstance(stage, _Stage):
        return stage
    if isinstance(stage, str):
        return _Stage(_read(stage), {})
    if isinstance(stage, dict):
        own = dict(stage)
        return _Stage(_read(own.pop("preset")) if "preset" in own else {}, own)
    msg = f"{name} must be the name of a preset or an object of settings, got {stage!r}"
    raise ConfigError(msg)


def _prints_experiment(file: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Put an experiment of the prints system into the words of this package."""
    defaults = file.with_name("DEFAULT.json")
    over = prints_json.read(defaults) if file != defaults and defaults.exists() else None
    try:
        return prints_settings.train_settings(prints_json.parse(values, over))
    except ConfigError as error:
        msg = f"{file}: {error}"
        raise ConfigError(msg) from error


def validated(model: type[_Config], settings: Mapping[str, Any]) -> _Config:
    """Check settings, and say in one line all that is wrong with them.

    Args:
        model: What they are settings of.
        settings: Settings by name.

    Raises:
        ConfigError: If one is unknown, missing or impossible.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        problems = [_problem(problem, model) for problem in error.errors()]
        raise ConfigError("; ".join(problems)) from error


def _problem(problem: Any, model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        # What stands in a cascade is meant for the runs in it.
        known = (TrainConfig if model is CascadeConfig else model).model_fields
        return f"unknown setting {name!r}.{nearest(str(problem['loc'][-1]), known)}"
    for setting in {"size", "crop_size"} & set(problem["loc"]):
        return f"{setting} must be a height and a width, for example 256,512"
    if problem["type"] == "missing":
        return f"the setting {name!r} is missing"
    text = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {text}, got {problem['input']!r}" if name else text


def nearest(name: str, known: Any) -> str:
    """Suggest the known name that is most like a wrong one.

    Returns:
        `` Did you mean 'strip'?``, or nothing if no name is like it.
    """
    matches = get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""
