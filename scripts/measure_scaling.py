"""Measure what a Ray cluster costs and brings, and what becomes of a killed worker.

``predict`` judges the same images by ``sdd-predict`` alone and on local Ray clusters of one
and two workers of one processor each, in turns; each is run on a few and on more images, so
that what every image costs is told apart from what starting costs. ``kill`` kills
one of two workers in the middle::

    python scripts/measure_scaling.py predict
    python scripts/measure_scaling.py kill
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import click
import pandas as pd

from steel_defect_detection import images

WAYS = {
    "`sdd-predict`, 1 thread": ["--threads", "1"],
    "`sdd-predict`, 2 threads": ["--threads", "2"],
    "Ray, 1 worker": ["--engine", "ray", "--workers", "1"],
    "Ray, 2 workers": ["--engine", "ray", "--workers", "2"],
}


@click.group()
def main() -> None:
    """Measure prediction on many machines, on one."""


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
    first = median(next(iter(slopes.values())))
    click.echo("| | images/s | range | times the first | ms per image | start, s |")
    click.echo("| --- | --: | --: | --: | --: | --: |")
    for way, found in slopes.items():
        slope = median(found)
        start = median(took[way, few]) - few * slope
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


if __name__ == "__main__":
    main()
