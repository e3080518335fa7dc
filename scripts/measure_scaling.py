"""Measure what several processes gain over one.

``train`` trains the same network on the same drawn strips in one process and in two, of one
thread each, in turns, and tells the images per second of all processes together::

    python scripts/measure_scaling.py train
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from steel_defect_detection.datasets import severstal
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.draw import StripDrawer
from steel_defect_detection.synthesis.synthesize import synthesize
from steel_defect_detection.training.config import TrainConfig

_TRAIN = """
import sys
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

train(TrainConfig.model_validate_json(sys.argv[1]), sys.argv[2], sys.argv[3])
"""
_SIDE = 256


@click.group()
def main() -> None:
    """Measure what several processes gain over one."""


@main.command()
@click.option("--processes", default=2, show_default=True, help="Processes to compare with one.")
@click.option("--turns", default=3, show_default=True, help="Runs of each number of processes.")
@click.option("--images", "count", default=32, show_default=True, help="Strips to train on.")
@click.option("--batch-size", default=8, show_default=True, help="Images per step and process.")
@click.option("--encoder", default="resnet18", show_default=True)
def train(processes: int, turns: int, count: int, batch_size: int, encoder: str) -> None:
    """Train in one process and in several, of one thread each, in turns."""
    config = TrainConfig(
        architecture="linknet",
        encoder=encoder,
        batch_size=batch_size,
        epochs=3,
        workers=0,
        precision="float32",
        device="cpu",
        pictures=False,
        keep="last",
        scheduler="constant",
    )
    speeds: dict[int, list[float]] = {1: [], processes: []}
    with tempfile.TemporaryDirectory() as place:
        data = _drawn(Path(place) / "data", count)
        for turn in range(turns):
            for number, found in speeds.items():
                output = Path(place) / f"{turn}-{number}"
                found.append(_speed(config, number, data, output))
                click.echo(f"turn {turn + 1}, processes {number}: {found[-1]:.2f} images/s")
    medians = {number: statistics.median(found) for number, found in speeds.items()}
    click.echo(f"\n{os.cpu_count()} cores, load of the last minute {os.getloadavg()[0]:.1f}\n")
    click.echo("| processes | images per second | range | times one |")
    click.echo("| --- | --- | --- | --- |")
    for number, found in speeds.items():
        low, high, gain = min(found), max(found), medians[number] / medians[1]
        click.echo(f"| {number} | {medians[number]:.2f} | {low:.2f} to {high:.2f} | {gain:.2f} |")


def _drawn(folder: Path, count: int) -> Path:
    """Draw strips to train on, and a fifth as many to validate on."""
    parts = {
        name: Dataset(classes=severstal.CLASSES, entries=()) for name in ("train", "validation")
    }
    share = {"train": count, "validation": count // 5}
    amounts = {name: Amount(clean=share[name] // 2, per_class=share[name] // 8) for name in parts}
    maker = StripDrawer(shape=(_SIDE, _SIDE))
    synthesize(parts, lambda _: maker, folder, amounts)
    return folder


def _speed(config: TrainConfig, processes: int, data: Path, output: Path) -> float:
    """Images per second of all processes in the best epoch, for the first one warms up."""
    settings = config.model_copy(update={"devices": processes}).model_dump(mode="json")
    starting = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--no-python"]
    words = [sys.executable, "-c", _TRAIN, json.dumps(settings), str(data), str(output)]
    subprocess.run(
        [sys.executable, *starting, *words],
        check=True,
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    with (output / "epochs.csv").open(newline="") as file:
        return max(float(row["images_per_second"]) for row in csv.DictReader(file))


if __name__ == "__main__":
    main()
