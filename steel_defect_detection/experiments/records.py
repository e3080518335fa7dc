"""Records: what a finished run has come to, in a file that says that it is finished."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from steel_defect_detection import files
from steel_defect_detection.errors import ResultsError
from steel_defect_detection.experiments.folder import RUNS
from steel_defect_detection.experiments.grid import Variant

FILE = "record.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One finished run of a variant.

    Args:
        variant: Name of the variant.
        run: Number of the run, from 1.
        seed: Its seed.
        training_images: Real images that it learned from.
        synthetic_images: Synthetic ones.
        epoch: The epoch that is kept; None where two networks were trained.
        seconds: How long training took; None if it was interrupted.
        measures: Measures of the finished model by name.
    """

    variant: str
    run: int
    seed: int
    training_images: int
    synthetic_images: int
    epoch: int | None
    seconds: float | None
    measures: Mapping[str, float]


def place(home: Path, variant: Variant, run: int) -> Path:
    """The folder of a run.

    Args:
        home: Folder of the study.
        variant: The variant.
        run: Number of the run, from 1.
    """
    return home / RUNS / variant.name / f"run-{run}"


def write(folder: Path, record: Record) -> None:
    """Write a record, which says that the run is finished.

    Args:
        folder: Folder of the run.
        record: What it has come to.

    Raises:
        ResultsError: If it cannot be written.
    """
    files.write_text(folder / FILE, json.dumps(asdict(record), indent=2) + "\n")


def read(home: Path, variant: Variant, run: int) -> Record | None:
    """Read what a run has come to; None if it is not finished.

    Args:
        home: Folder of the study.
        variant: The variant.
        run: Number of the run, from 1.

    Raises:
        ResultsError: If the file is damaged, or that of another run.
    """
    path = place(home, variant, run) / FILE
    if not path.exists():
        return None
    try:
        record = Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        msg = f"{path} is damaged: delete it, and the run is measured again"
        raise ResultsError(msg) from error
    if (record.variant, record.run) != (variant.name, run):
        msg = f"{path} is that of {record.variant}, run {record.run}: delete its folder"
        raise ResultsError(msg)
    return record
