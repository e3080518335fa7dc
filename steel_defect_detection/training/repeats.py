"""Runs of the same settings that differ in their seed: how much of a result is chance.

::

    TrainConfig -> run-1, run-2, ... (seed, seed + 1, ...) -> mean and standard deviation

All runs see the same split, so that only weights, order and augmentation
differ. The folder holds one run folder each, ``runs.csv`` with a row per run,
``runs.json`` with mean and deviation, and ``curves.png`` with both per epoch.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from steel_defect_detection import figures, files
from steel_defect_detection.datasets import layouts
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.training import charts, folder, processes
from steel_defect_detection.training.config import CascadeConfig, TrainConfig
from steel_defect_detection.training.run import train


class Spread(NamedTuple):
    """One measure over several runs.

    Args:
        mean: Its mean.
        std: Its sample standard deviation (divided by runs - 1).
    """

    mean: float
    std: float


def train_repeatedly(  # noqa: PLR0913 -- what `train` takes, and the number of runs
    config: TrainConfig | CascadeConfig,
    data: Path | str | Dataset,
    output: Path | str,
    *,
    runs: int,
    split: Path | str | None = None,
    fold: int | None = None,
    layout: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> dict[str, Spread]:
    """Train several times with seeds that follow one another.

    What was interrupted goes on when called again; a larger number of runs adds
    to those that are there.

    Args:
        config: Settings; run 1 has their seed, run 2 the next one.
        data: Folder of a data set, or a data set.
        output: Folder for the run folders ``run-1``, ``run-2`` and so on.
        runs: How many, at least 2.
        split: As for ``train``; all runs take the parts that run 1 makes of it.
        fold: As for ``train``.
        layout: As for ``train``.
        resume: Go on with such runs; refuse to begin the first one.
        overwrite: Begin anew, even if there are such runs.

    Returns:
        Mean and deviation of each measure that is a number in all runs; in a
        cascade the names begin with ``gate.`` and ``segmenter.``.

    Raises:
        ConfigError: If there are fewer than 2 runs, or the folder holds a
            single run. Everything that ``train`` raises besides.
    """
    output = Path(output)
    if runs < 2:
        msg = f"a mean over runs needs at least 2, got {runs}"
        raise ConfigError(msg)
    processes.join(config)
    with processes.together():
        if (output / folder.CONFIG).exists():
            msg = f"{output} holds a single run. Choose another --output for several"
            raise ConfigError(msg)
        if resume:
            # The others follow one after the other: those that were not reached are begun.
            folder.check_resume(output / "run-1", overwrite=overwrite)
        dataset = data if isinstance(data, Dataset) else layouts.read(data, layout)
    rows = []
    for number in range(runs):
        run = output / f"run-{number + 1}"
        seeded = with_seed(config, number)
        train(seeded, dataset, run, split=split, fold=fold, overwrite=overwrite)
        # Whatever run 1 validated on: parts that it drew depend on its seed.
        split, fold = run / "split.csv", None
        measures = json.loads((run / folder.METRICS).read_text(encoding="utf-8"))
        rows.append({"run": run.name, "seed": _seed(seeded)} | _flat(measures))
    spreads = _spreads(rows)
    with processes.together():
        if processes.is_first():
            _write(output, rows, spreads)
    return spreads


def with_seed(config: TrainConfig | CascadeConfig, number: int) -> TrainConfig | CascadeConfig:
    """Settings of one of several runs.

    Args:
        config: Settings of the first run.
        number: Number of the run, from 0; it is added to the seed, or to both of
            a cascade.
    """
    if isinstance(config, TrainConfig):
        return config.model_copy(update={"seed": config.seed + number})
    stages = {name: getattr(config, name) for name in ("gate", "segmenter")}
    return config.model_copy(
        update={name: with_seed(stage, number) for name, stage in stages.items()}
    )


def _seed(config: TrainConfig | CascadeConfig) -> int:
    return config.seed if isinstance(config, TrainConfig) else config.gate.seed


def _flat(measures: Mapping[str, Any]) -> dict[str, Any]:
    """Names of measures within measures get a dot."""
    flat: dict[str, Any] = {}
    for name, value in measures.items():
        inner = _flat(value) if isinstance(value, Mapping) else None
        flat |= {name: value} if inner is None else {f"{name}.{key}": inner[key] for key in inner}
    return flat


def _spreads(rows: list[dict[str, Any]]) -> dict[str, Spread]:
    spreads = {}
    for name in [name for name in rows[0] if name not in {"run", "seed"}]:
        found = [row.get(name) for row in rows]
        values = [value for value in found if isinstance(value, int | float)]
        if len(values) == len(rows):
            spreads[name] = Spread(float(np.mean(values)), float(np.std(values, ddof=1)))
    return spreads


def _write(output: Path, rows: list[dict[str, Any]], spreads: Mapping[str, Spread]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(output / "runs.csv", text.getvalue())
    content = {
        "runs": len(rows),
        "seeds": [row["seed"] for row in rows],
        "measures": {name: spread._asdict() for name, spread in spreads.items()},
    }
    files.write_text(output / "runs.json", json.dumps(content, indent=2) + "\n")
    tables = [output / row["run"] / "epochs.csv" for row in rows]
    # A cascade has a table per stage, in the folders of its stages.
    if all(table.exists() for table in tables):
        figures.write(output / "curves.png", figures.curves(charts.panels(*tables)))
