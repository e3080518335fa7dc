"""Measure what several workers and processes gain over one.

``predict`` judges the same images by ``sdd-predict`` alone and on local Ray clusters of one
and two workers of one processor each, in turns; each is run on a few and on more images, so
that what every image costs is told apart from what starting costs. ``kill`` kills
one of two workers in the middle. ``train`` trains the same network on the same drawn strips in one
process and in two, of one thread each, in turns, and tells the images per second of all
processes together::

    python scripts/measure_scaling.py predict
    python scripts/measure_scaling.py kill
    python scripts/measure_scaling.py train

``plan`` measures nothing: it says what a number of workers would do with a million images, if each
judges as many as one was measured to, until the storage has no more to give::

    python scripts/measure_scaling.py plan --rate 25
"""

import csv
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import pandas as pd

from steel_defect_detection import images
from steel_defect_detection.datasets import severstal
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.draw import StripDrawer
from steel_defect_detection.synthesis.synthesize import synthesize
from steel_defect_detection.training.config import TrainConfig

WAYS = {
    "`sdd-predict`, 1 thread": ["--threads", "1"],
    "`sdd-predict`, 2 threads": ["--threads", "2"],
    "Ray, 1 worker": ["--engine", "ray", "--workers", "1"],
    "Ray, 2 workers": ["--engine", "ray", "--workers", "2"],
}

_TRAIN = """
import sys
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

train(TrainConfig.model_validate_json(sys.argv[1]), sys.argv[2], sys.argv[3])
"""
_SIDE = 256


@click.group()
def main() -> None:
    """Measure what several workers and processes gain over one."""


@main.command()
@click.option("--few", default=200, help="Images of the smaller run.")
@click.option("--many", default=1000, help="Images of the larger run.")
@click.option("--rounds", default=3)
def predict(few: int, many: int, rounds: int) -> None:
    """Compare one machine with a cluster of it."""
    took: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        for count in (few, many):
            copied(Path(place) / str(count), count)
        for _ in range(rounds):
            for way, words in WAYS.items():
                for count in (few, many):
                    seconds = run(Path(place), str(count), words)
                    took.setdefault((way, count), []).append(seconds)
    slopes = {
        way: [
            (large - small) / (many - few)
            for small, large in zip(took[way, few], took[way, many], strict=True)
        ]
        for way in WAYS
    }
    first = statistics.median(next(iter(slopes.values())))
    click.echo("| | images/s | range | times the first | ms per image | start, s |")
    click.echo("| --- | --: | --: | --: | --: | --: |")
    for way, found in slopes.items():
        slope = statistics.median(found)
        start = statistics.median(took[way, few]) - few * slope
        click.echo(
            f"| {way} | {1 / slope:.1f} | {1 / max(found):.1f} to {1 / min(found):.1f} | "
            f"{first / slope:.2f} | {1000 * slope:.1f} | {start:.1f} |"
        )


@main.command()
@click.option("--count", default=600, help="How many images.")
def kill(count: int) -> None:
    """Kill one of two workers when some images are judged."""
    words = WAYS["Ray, 2 workers"]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        copied(place / "in", count)
        whole = run(place, "in", words)
        shutil.rmtree(place / "out")
        killed = run(place, "in", words, kills=True)
        parts = [pd.read_parquet(path) for path in (place / "out/parts").glob("*.parquet")]
        judged = Counter(pd.concat(parts)["file"])
        masks = len(list((place / "out/masks").iterdir()))
    click.echo("| images | in parts | twice in parts | masks | seconds | without the kill |")
    click.echo("| --: | --: | --: | --: | --: | --: |")
    twice = sum(one > 1 for one in judged.values())
    click.echo(f"| {count} | {len(judged)} | {twice} | {masks} | {killed:.1f} | {whole:.1f} |")


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


@main.command()
@click.option("--rate", type=float, required=True, help="Images per second of one worker.")
@click.option("--start", default=30.0, help="Seconds until a worker judges its first image.")
@click.option("--image-kb", default=230.0, help="Size of an image in storage.")
@click.option("--written-kb", default=2.0, help="What is written for it: mask and rows.")
@click.option("--gigabits", default=10.0, help="What the storage gives per second.")
@click.option("--price", default=0.04, help="Of a worker's processor and memory per hour.")
def plan(
    rate: float, start: float, image_kb: float, written_kb: float, gigabits: float, price: float
) -> None:
    """Plan for a million images."""
    most = gigabits * 1e9 / 8 / (1000 * (image_kb + written_kb))
    click.echo("| workers | images/s | million images, h | cost of a million | bound by |")
    click.echo("| --: | --: | --: | --: | --- |")
    for workers in (1, 2, 8, 32, 128, 512, 2048):
        speed = min(workers * rate, most)
        hours = (1e6 / speed + start) / 3600
        bound = "workers" if workers * rate < most else "storage"
        cost = workers * hours * price
        click.echo(f"| {workers} | {speed:,.0f} | {hours:.2f} | {cost:.2f} | {bound} |")


def copied(folder: Path, count: int) -> None:
    """Fill a folder with copies of the sample strips."""
    folder.mkdir()
    samples = [path.read_bytes() for path in images.samples()]
    for number in range(count):
        (folder / f"{number:05d}.png").write_bytes(samples[number % len(samples)])


def run(place: Path, source: str, words: list[str], *, kills: bool = False) -> float:
    """Run sdd-predict on a folder, and say how many seconds it took."""
    code = "from steel_defect_detection.cli.predict import main; main()"
    output = ["--output", str(place / "out"), "--no-overlays"]
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(place / source), *output, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    if kills:
        while process.poll() is None and len(list((place / "out").glob("parts/*.parquet"))) < 3:
            time.sleep(0.05)
        os.kill(workers()[0], signal.SIGKILL)
    _, said = process.communicate()
    if process.returncode:
        raise click.ClickException(said.decode())
    return time.monotonic() - begun


def workers() -> list[int]:
    """Numbers of the processes that judge."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            is_worker = b"MapWorker" in path.read_bytes()
        except OSError:
            continue
        if is_worker:
            found.append(int(path.parent.name))
    return found


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
