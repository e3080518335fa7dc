"""Studies as JSON files: those that come with the package, and one's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.training import presets


def names() -> tuple[str, ...]:
    """Names of the studies that come with the package, sorted."""
    return presets.packaged("studies")


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
    content = presets.content(study_or_file, "studies", "study")
    try:
        study = presets.validated(Study, {"name": Path(study_or_file).stem} | content)
        given = {name: value for name, value in changes.items() if value is not None}
        return presets.validated(Study, study.changed(settings or {}) | given)
    except ConfigError as error:
        msg = f"{study_or_file}: {error}"
        raise ConfigError(msg) from error
