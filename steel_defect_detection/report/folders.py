"""What a folder is: results, an evaluation, a calibration, a training run, or several runs."""

import csv
from pathlib import Path
from typing import Literal, NamedTuple

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.results.resuming import is_record

Kind = Literal["results", "evaluation", "calibration", "runs", "run"]

# Not epochs.csv: a generator leaves one, too.
_RUN = ("inputs.sha256", "metrics.json", "model.safetensors", "last.ckpt")
_EVALUATION = ("evaluation.json", "suspects.csv", "timing.json")
_SEVERAL = ("run-*", "fold-*")


class Found(NamedTuple):
    """A folder, and what it holds."""

    folder: Path
    kind: Kind


def recognise(folder: Path) -> list[Found]:
    """Say what a folder is.

    Args:
        folder: Results of ``sdd-predict``, what ``sdd-evaluate`` or
            ``sdd-calibrate`` wrote, a training run, or a folder of runs called
            ``run-1`` or ``fold-0``.

    Returns:
        What it holds, mostly one thing; after several runs each of them.

    Raises:
        ResultsError: If it is not there or holds nothing of that.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        msg = f"{str(folder)!r} {what}: expected {_EXPECTED}"
        raise ResultsError(msg)
    found = []
    if _is_results(folder):
        found.append(Found(folder, "results"))
    if any((folder / name).is_file() for name in _EVALUATION):
        found.append(Found(folder, "evaluation"))
    if (folder / "calibration.json").is_file():
        found.append(Found(folder, "calibration"))
    runs = _runs_below(folder)
    if runs or (folder / "runs.json").is_file():
        found += [Found(folder, "runs"), *(Found(run, "run") for run in runs)]
    elif _is_run(folder):
        found.append(Found(folder, "run"))
    if not found:
        msg = f"nothing to report in {str(folder)!r}: expected {_EXPECTED}"
        raise ResultsError(msg)
    return found


_EXPECTED = (
    "results of sdd-predict (images.csv, run.json), of sdd-evaluate or sdd-calibrate --output "
    "(evaluation.json, calibration.json), or a run of sdd-train (config.json, metrics.json)"
)


def _is_results(folder: Path) -> bool:
    table = folder / "images.csv"
    if not table.is_file():
        # A run that has only begun; reading it says so.
        return is_record(folder / "run.json")
    try:
        with table.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error):
        header = []
    # The table of an evaluation has the same name, and may have taken the place of results.
    is_evaluation = (folder / "evaluation.json").is_file()
    return "verdict" in header or (is_record(folder / "run.json") and not is_evaluation)


def _runs_below(folder: Path) -> list[Path]:
    below = (path for pattern in _SEVERAL for path in folder.glob(pattern))
    return sorted((path for path in below if _is_run(path)), key=_number_last)


def _number_last(path: Path) -> tuple[str, int, str]:
    """Order that puts fold-10 after fold-9."""
    word, _, number = path.name.partition("-")
    return word, int(number) if number.isdecimal() else 0, number


def _is_run(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any((folder / name).exists() for name in _RUN)
