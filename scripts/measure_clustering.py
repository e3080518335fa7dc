"""Measure how far clusters agree with classes that they have not seen, and what clustering costs.

``agreement`` groups crops that lie in class folders and compares the groups with
the folders, for several networks and methods. No network here has seen these
images: the built-in gate learned on ImageNet and 44 Severstal strips, the others
are random. ``join`` asks for more clusters than there are classes, and joins those that
mostly hold one class, as a person would by name. ``cost`` cuts squares out of
images at random and runs ``sdd-cluster`` on them in a process of its own::

    python scripts/measure_clustering.py agreement --data DATA/neu_cls
    python scripts/measure_clustering.py join --data DATA/neu_cls
    python scripts/measure_clustering.py cost --data DATA/neu_cls --crops 1000 --crops 8000
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.clustering import Settings, embedding, pictures, score
from steel_defect_detection.clustering.cluster import fit
from steel_defect_detection.clustering.embedding import Embedder
from steel_defect_detection.datasets import class_folders

SEEDS = range(5)
CLASSES = 6
SIDE = 100

METHODS = {
    "kmeans": Settings(method="kmeans", clusters=CLASSES),
    "kmeans, number chosen": Settings(method="kmeans"),
    "agglomerative": Settings(method="agglomerative", clusters=CLASSES),
    "agglomerative, number chosen": Settings(method="agglomerative"),
    "hdbscan": Settings(method="hdbscan"),
}


class Result(NamedTuple):
    """What one seed gives."""

    clusters: int
    noise: float
    adjusted_rand: float
    normalised_mutual_information: float


@click.group()
def main() -> None:
    """Measure clusterings."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--axes", default=50, help="Principal axes, beside all numbers as they are.")
def agreement(data: Path, axes: int) -> None:
    """Compare clusters with class folders."""
    crops, truth = read(data)
    click.echo("| what is seen | axes | method | clusters | noise | adjusted Rand | NMI |")
    click.echo("| --- | --: | --- | --: | --: | --: | --: |")
    for what, see in views().items():
        seen = [see(crops, seed) for seed in SEEDS]
        for name, settings in METHODS.items():
            for kept in (0, axes) if seen[0].shape[1] > axes else (0,):
                results = [judged(seen[seed], settings, kept, seed, truth) for seed in SEEDS]
                click.echo(f"| {what} | {kept or 'all'} | {name} | {cells(results)} |")


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
def join(data: Path) -> None:
    """Name each cluster of the built-in gate after the class that most of its crops have."""
    crops, truth = read(data)
    features = by_model(crops, "penultimate")
    click.echo("| method | clusters | purity | adjusted Rand | after joining by name |")
    click.echo("| --- | --: | --: | --: | --: |")
    for method in ("kmeans", "agglomerative"):
        for count in (CLASSES, 2 * CLASSES, 20):
            labels = fit(features, Settings(method=method, clusters=count)).grouping.labels
            found = score(truth, labels)
            names = [found.clusters[label].label for label in labels]
            joined = score(truth, np.unique(names, return_inverse=True)[1])
            click.echo(
                f"| {method} | {count} | {found.purity:.3f} | {found.adjusted_rand:.3f} | "
                f"{joined.adjusted_rand:.3f} |"
            )


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--crops", type=int, multiple=True, required=True)
@click.option("--method", default="kmeans")
def cost(data: Path, crops: Sequence[int], method: str) -> None:
    """Time sdd-cluster and its memory on squares that are cut out of images."""
    click.echo("| crops | method | seconds | highest memory, MB |")
    click.echo("| --: | --- | --: | --: |")
    for count in crops:
        with tempfile.TemporaryDirectory() as place:
            cut(data, Path(place) / "crops", count)
            seconds, megabytes = run(Path(place), method)
        click.echo(f"| {count:,} | {method} | {seconds:.0f} | {megabytes:.0f} |")


def read(data: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """Crops and their classes."""
    dataset = class_folders.read(data)
    truth = [dataset.classes[place] for place in dataset.labels().argmax(axis=1)]
    crops = [pictures.read(Path(str(entry.path)), SIDE) for entry in dataset.entries]
    return np.stack(crops), truth


def views() -> dict[str, Callable[[NDArray[np.uint8], int], NDArray[np.float32]]]:
    """What may be seen of crops, by name, from crops and a seed."""
    return {
        "built-in gate, penultimate": once(lambda crops: by_model(crops, "penultimate")),
        "built-in gate, logits": once(lambda crops: by_model(crops, "logits")),
        "random mobilenet_v2, logits": lambda crops, seed: by_zoo(
            crops, "mobilenet_v2", "logits", seed
        ),
        "random resnet18, penultimate": lambda crops, seed: by_zoo(
            crops, "resnet18", "penultimate", seed
        ),
        "no network: 16 x 16 pixels": once(small),
    }


def once(
    see: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
) -> Callable[[NDArray[np.uint8], int], NDArray[np.float32]]:
    """Look once where the seed changes nothing."""
    kept: list[NDArray[np.float32]] = []

    def seen(crops: NDArray[np.uint8], _seed: int) -> NDArray[np.float32]:
        if not kept:
            kept.append(see(crops))
        return kept[0]

    return seen


def by_model(crops: NDArray[np.uint8], features: embedding.Features) -> NDArray[np.float32]:
    """Features of the built-in gate."""
    embedder = Embedder(embedding.of_model("strip", size=SIDE), features)
    return embedder.embed_all(parts(crops))


def by_zoo(
    crops: NDArray[np.uint8], encoder: str, features: embedding.Features, seed: int
) -> NDArray[np.float32]:
    """Features of a random network."""
    backbone = embedding.of_zoo(encoder, "random", features, size=SIDE, seed=seed)
    return Embedder(backbone, features).embed_all(parts(crops))


def small(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Brightness of a coarse grid, each crop with mean 0."""
    cells_of = crops[..., 0][:, :96, :96].reshape(len(crops), 16, 6, 16, 6).mean(axis=(2, 4))
    rows = cells_of.reshape(len(crops), -1)
    return np.asarray(rows - rows.mean(axis=1, keepdims=True), dtype=np.float32)


def parts(crops: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Batches."""
    return (crops[start : start + pictures.BATCH] for start in range(0, len(crops), pictures.BATCH))


def judged(
    features: NDArray[np.float32], settings: Settings, axes: int, seed: int, truth: Sequence[str]
) -> Result:
    """Cluster, and compare with the truth."""
    chosen = Settings(method=settings.method, clusters=settings.clusters, pca=axes, seed=seed)
    try:
        labels = fit(features, chosen).grouping.labels
    except ValueError:  # hdbscan found no dense region
        labels = np.full(len(features), -1, dtype=np.int32)
    found = score(truth, labels)
    return Result(
        clusters=int(labels.max()) + 1,
        noise=float((labels < 0).mean()),
        adjusted_rand=found.adjusted_rand,
        normalised_mutual_information=found.normalised_mutual_information,
    )


def cells(results: Sequence[Result]) -> str:
    """Mean and standard deviation over seeds."""
    table = np.array(results)
    counts = sorted(set(table[:, 0].astype(int).tolist()))
    numbers = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    scores = [f"{column.mean():.3f} ± {column.std(ddof=1):.3f}" for column in table.T[2:]]
    return " | ".join([numbers, f"{table[:, 1].mean():.0%}", *scores])


def cut(data: Path, folder: Path, count: int) -> None:
    """Cut squares out of images at random."""
    random = np.random.default_rng(0)
    paths = images.find([data])
    for number in range(count):
        image = images.read(paths[int(random.integers(len(paths)))])
        top, left = (int(random.integers(side - SIDE + 1)) for side in image.shape[:2])
        images.write(folder / f"{number:05d}.png", image[top : top + SIDE, left : left + SIDE])


def run(place: Path, method: str) -> tuple[float, float]:
    """Run sdd-cluster: seconds, and the most memory its process held, in megabytes."""
    words = [str(place / "crops"), "--output", str(place / "clusters"), "--method", method]
    code = "from steel_defect_detection.cli.cluster import main; main()"
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        msg = f"sdd-cluster ended with status {status}"
        raise click.ClickException(msg)
    return time.monotonic() - begun, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
