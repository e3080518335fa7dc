"""Measure what sdd-serve bears, and what it costs beside sdd-predict.

Starts the server in a process of its own. ``mixed`` sends requests of many kinds, good
ones and bad ones, from many clients, each until it is answered, and sees that every
answer is what it should be; it reports the server's memory before, at most and after.
``pace`` judges the same files in turns by the server and by ``sdd-predict``, and by the server
with several images at the same time and with one::

    python scripts/measure_serving.py mixed --images DATA/severstal/train_images
    python scripts/measure_serving.py pace --images DATA/severstal/train_images
    python scripts/measure_serving.py batches --images DATA/severstal/train_images

``batches`` says whether networks on the processor would gain from batches.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import requests

from steel_defect_detection import images, load_predictor

_SERVE = "from steel_defect_detection.cli.serve import main; main()"
_PREDICT = "from steel_defect_detection.cli.predict import main; main()"

folder = click.option(
    "--images", "source", type=click.Path(path_type=Path), help="Strips; the samples without."
)


class Server(NamedTuple):
    """A running server."""

    address: str
    process: int

    def memory(self, what: str) -> int:
        """Megabytes in memory: ``VmRSS`` now, ``VmHWM`` at most."""
        lines = Path(f"/proc/{self.process}/status").read_text(encoding="utf-8").splitlines()
        kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{what}:"))
        return int(kilobytes) // 1024


@click.group()
def main() -> None:
    """Measure the server."""


@main.command()
@folder
@click.option("--count", default=1000, show_default=True)
@click.option("--clients", default=32, show_default=True)
@click.option("--queue", default=64, show_default=True, help="As of sdd-serve.")
def mixed(source: Path | None, count: int, clients: int, queue: int) -> None:
    """Send mixed requests from many clients, none of which may be lost."""
    strips = [path.read_bytes() for path in _files(source, 50)]
    with _server("--queue", str(queue)) as server:
        _post(server, strips[0])
        before = server.memory("VmRSS")
        started = time.perf_counter()
        turned_away: Counter[str] = Counter()
        with ThreadPoolExecutor(clients) as pool:
            asked = pool.map(lambda number: _ask(server, strips, number, turned_away), range(count))
            statuses = Counter(asked)
        seconds = time.perf_counter() - started
        time.sleep(2)
        health = requests.get(f"{server.address}/health", timeout=60).json()
        click.echo(f"{count} requests of {clients} clients in {seconds:.1f} s")
        click.echo(f"as they should be, by status: {dict(sorted(statuses.items()))}")
        click.echo(f"turned away with 503, and asked again: {turned_away.total()} times")
        most, after = server.memory("VmHWM"), server.memory("VmRSS")
        click.echo(f"megabytes before {before}, at most {most}, after {after}")
        click.echo(f"health afterwards: {health}")


@main.command()
@folder
@click.option("--count", default=200, show_default=True)
@click.option("--turns", default=3, show_default=True)
def pace(source: Path | None, count: int, turns: int) -> None:
    """Judge the same files by the server and by sdd-predict, in turns."""
    files = list(islice(cycle(_files(source, count)), count))
    strips = [path.read_bytes() for path in files]
    with _server() as server, tempfile.TemporaryDirectory() as place:
        for number, data in enumerate(strips):
            (Path(place) / f"{number}.jpg").write_bytes(data)
        _post(server, strips[0])
        for turn in range(turns):
            found = {
                "sdd-predict": _predicted(Path(place)),
                "32 clients, 1 image each": _served(server, strips, clients=32, together=1),
                "8 clients, 8 images each": _served(server, strips, clients=8, together=8),
                "1 client, 1 image": _served(server, strips, clients=1, together=1),
            }
            paces = {name: f"{count / seconds:.1f}" for name, seconds in found.items()}
            click.echo(f"turn {turn + 1}, images per second: {paces}")


@main.command()
@folder
@click.option("--turns", default=9, show_default=True)
def batches(source: Path | None, turns: int) -> None:
    """Run eight strips through each network: as a batch, and one in each thread."""
    files = list(islice(cycle(_files(source, 8)), 8))
    predictor = load_predictor()
    strips = [images.read(file, grey=predictor.grey)[None] for file in files]
    together = np.concatenate(strips)
    for name, network in predictor.networks.items():
        with ThreadPoolExecutor(network.parallel) as pool:
            ways = {
                "batch": lambda run=network.run: run(together),
                "threads": lambda run=network.run, pool=pool: list(pool.map(run, strips)),
            }
            _timed(ways)
            turned = [_timed(ways) for _ in range(turns)]
        ratios = sorted(round(one["batch"] / one["threads"], 2) for one in turned)
        click.echo(f"{name}: threads are so many times as fast as batches: {ratios}")


def _timed(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    found = {}
    for name, way in ways.items():
        started = time.perf_counter()
        way()
        found[name] = time.perf_counter() - started
    return found


@contextmanager
def _server(*words: str) -> Iterator[Server]:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE, "--port", "0", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        yield Server(address, process.pid)
        process.terminate()


def _files(source: Path | None, most: int) -> Sequence[Path]:
    found = images.samples() if source is None else images.find([str(source)])
    return found[:most]


def _post(server: Server, *strips: bytes) -> requests.Response:
    files = [("images", (f"{number}.jpg", data)) for number, data in enumerate(strips)]
    return requests.post(f"{server.address}/predict", files=files, timeout=300)


def _ask(server: Server, strips: Sequence[bytes], number: int, turned_away: Counter[str]) -> int:
    """Send one of several kinds of requests until it is answered, and check the answer."""
    here = f"{server.address}/predict"
    few = [strips[(number + more) % len(strips)] for more in range(4)]
    raw = {"Content-Type": "image/jpeg"}
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    kinds: tuple[tuple[int, Callable[[], requests.Response]], ...] = (
        (200, lambda: _post(server, few[0])),
        (200, lambda: _post(server, *few)),
        (200, lambda: _post(server, few[0], b"a text")),
        (422, lambda: requests.post(here, data=b"a text", headers=raw, timeout=300)),
        (422, lambda: requests.post(here, data=few[0][:500], headers=raw, timeout=300)),
        (400, lambda: requests.post(here, data=b"garbage", headers=form, timeout=300)),
        (415, lambda: requests.post(here, json={}, timeout=300)),
        (413, lambda: requests.post(here, data=bytes(65_000_000), headers=raw, timeout=300)),
        (200, lambda: requests.get(f"{server.address}/model", timeout=300)),
        (404, lambda: requests.get(f"{server.address}/nothing", timeout=300)),
    )
    # Of the largest there are few: sending them would be all that is measured.
    kind = number % 7 if number % 50 else 7 + number // 50 % 3
    expected, send = kinds[kind]
    while (answer := send()).status_code == 503:
        turned_away[str(kind)] += 1
        time.sleep(min(int(answer.headers["Retry-After"]), 2))
    if answer.status_code != expected:
        msg = f"request {number} of kind {kind}: {answer.status_code}, {answer.text[:300]}"
        raise RuntimeError(msg)
    if kind < 3 and len(answer.json()["images"]) != (1, 4, 2)[kind]:
        msg = f"request {number} of kind {kind} lost an image"
        raise RuntimeError(msg)
    return answer.status_code


def _served(server: Server, strips: Sequence[bytes], *, clients: int, together: int) -> float:
    groups = [strips[start : start + together] for start in range(0, len(strips), together)]

    def send(group: Sequence[bytes]) -> None:
        while (answer := _post(server, *group)).status_code == 503:
            time.sleep(0.2)
        answer.raise_for_status()

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(send, groups))
    return time.perf_counter() - started


def _predicted(place: Path) -> float:
    with tempfile.TemporaryDirectory() as output:
        words = [str(place), "--output", output, "--no-overlays"]
        subprocess.run([sys.executable, "-c", _PREDICT, *words], check=True, capture_output=True)
        run = json.loads((Path(output) / "run.json").read_text(encoding="utf-8"))
    return float(run["seconds"])


if __name__ == "__main__":
    main()
