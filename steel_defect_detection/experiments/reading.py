"""Studies as JSON files: those that come with the package, and one's own."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.training import presets, prints_json


def names() -> tuple[str, ...]:
    """Names of the studies that come with the package, sorted."""
    folder = resources.files("steel_defect_detection") / "studies"
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".json")))


def load(
    study_or_file: str | Path, settings: Mapping[str, Any] | None = None, **changes: Any
) -> Study:
    """Read a study.

    Args:
        study_or_file: Name of a study that comes with the package, or path of a
            JSON file. A file without a ``name`` has its own.
        settings: Settings that all variants get, whatever the study says.
        **changes: Fields of the study, such as ``runs``; None leaves them as they are.

    Raises:
        ConfigError: If there is no such study or file, it is no JSON, or what it
            says is unknown or impossible.
    """
    try:
        content = json.loads(_text(study_or_file), object_pairs_hook=prints_json.once)
    except (ValueError, RecursionError) as error:
        msg = f"{study_or_file} is not JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(content, dict):
        msg = f"{study_or_file} holds no study: expected a JSON object"
        raise ConfigError(msg)
    try:
        study = presets.validated(Study, {"name": Path(study_or_file).stem} | content)
        given = {name: value for name, value in changes.items() if value is not None}
        return presets.validated(Study, study.changed(settings or {}) | given)
    except ConfigError as error:
        msg = f"{study_or_file}: {error}"
        raise ConfigError(msg) from error


def _text(study_or_file: str | Path) -> str:
    name = str(study_or_file)
    if name in names():
        file = resources.files("steel_defect_detection") / "studies" / f"{name}.json"
        return file.read_text(encoding="utf-8")
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        msg = (
            f"{name!r} is neither a study nor a readable file."
            f"{presets.nearest(name, names())} Studies: {', '.join(names())}"
        )
        raise ConfigError(msg) from error
