"""The folder of a study: which study it belongs to.

``study.json`` holds the study, ``variants.json`` the settings that each variant
has come to, and ``inputs.sha256`` the hash of the images of each run. Only the
same study goes on in it; more runs may be asked for.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from steel_defect_detection import files
from steel_defect_detection.datasets import output_folder
from steel_defect_detection.errors import ConfigError, ResultsError
from steel_defect_detection.experiments.grid import Variant
from steel_defect_detection.experiments.parts import RunParts
from steel_defect_detection.experiments.study import Study
from steel_defect_detection.training.folder import (
    differences,
    fingerprint,
    first_of,
    without_place,
)

STUDY = "study.json"
VARIANTS = "variants.json"
INPUTS = "inputs.sha256"
RUNS = "runs"
SYNTHETIC = "synthetic"

_FREE = {"description", "runs"}


def claim(
    home: Path,
    study: Study,
    variants: Sequence[Variant],
    parts: Sequence[RunParts],
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    """Take a folder for a study, or find that it is that study's already.

    Args:
        home: The folder.
        study: The study.
        variants: Its variants.
        parts: Images of each run.
        resume: Refuse to begin.
        overwrite: Delete the runs of the study that is there.

    Raises:
        ConfigError: If the folder belongs to another study; the message says
            what differs.
        ResultsError: If it holds something else, or cannot be written.
    """
    is_there = (home / STUDY).exists()
    if resume and not is_there:
        msg = f"resume: there is no study in {home}. Leave --resume out to begin one"
        raise ConfigError(msg)
    if overwrite and is_there:
        for name in (RUNS, SYNTHETIC):
            shutil.rmtree(home / name, ignore_errors=True)
    elif is_there:
        _refuse_others(home, study, variants, parts)
    else:
        output_folder.prepare(home, overwrite=False)
    files.write_text(home / STUDY, study.model_dump_json(indent=2) + "\n")
    files.write_text(home / VARIANTS, json.dumps(_settings(variants), indent=2) + "\n")
    files.write_text(home / INPUTS, "\n".join(_hashes(parts)) + "\n")


def _refuse_others(
    home: Path, study: Study, variants: Sequence[Variant], parts: Sequence[RunParts]
) -> None:
    try:
        known = json.loads((home / STUDY).read_text(encoding="utf-8"))
        settings = json.loads((home / VARIANTS).read_text(encoding="utf-8"))
        inputs = (home / INPUTS).read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        msg = f"{home} holds a damaged study: choose another --output, or add --overwrite"
        raise ResultsError(msg) from error
    found = list(differences(_identity(known), _identity(study.model_dump(mode="json"))))
    if not found:
        # The same words may stand for other settings, as when a preset has changed.
        found = list(differences(without_place(settings), without_place(_settings(variants))))
    if not found and not _agree(inputs, _hashes(parts)):
        found = ["the images, their labels or their split are others"]
    if found:
        msg = (
            f"{home} holds another study: {first_of(found)}. Choose another --output, or add "
            "--overwrite to begin anew"
        )
        raise ConfigError(msg)


def _identity(study: Mapping[str, Any]) -> dict[str, Any]:
    return without_place({name: value for name, value in study.items() if name not in _FREE})


def _settings(variants: Sequence[Variant]) -> dict[str, Any]:
    return {
        variant.name: {
            "settings": variant.config.model_dump(mode="json"),
            "images": variant.images.model_dump(mode="json"),
        }
        for variant in variants
    }


def _hashes(parts: Sequence[RunParts]) -> list[str]:
    """A hash per run; runs that share their images share it."""
    known: dict[int, str] = {}
    for run in parts:
        known.setdefault(id(run), fingerprint(run, ()))
    return [known[id(run)] for run in parts]


def _agree(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether runs that are in both saw the same images."""
    return all(one == other for one, other in zip(before, now, strict=False))
