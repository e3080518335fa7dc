"""Measure what the search for recurring marks finds, what it makes up, and how long a coil takes.

``false-alarms`` searches coils of random defects, on which every finding is a
false one. ``detection`` plants one mark on such coils and says how often it is
found, by turns and by the share of turns on which it is seen. ``partly`` plants
a mark along a whole coil and says whether it is found with its own period.
``two`` plants two marks of one roll, or of two. All coils are simulated by
``steel_defect_detection.synthesis.coils``, which shares nothing with the search.
``speed`` writes the results folder of a long coil and runs ``sdd-coil`` on it::

    python scripts/measure_coils.py false-alarms
    python scripts/measure_coils.py detection
    python scripts/measure_coils.py partly
    python scripts/measure_coils.py two
    python scripts/measure_coils.py speed
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from steel_defect_detection.coil import Recurrence, find_recurrences
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.results import ResultsWriter
from steel_defect_detection.synthesis.coils import (
    BACKGROUNDS,
    CLASSES,
    Mark,
    Plan,
    SimulatedCoil,
    simulate,
)

COILS = 200
IMAGES = 250
SHAPE = (256, 1600)
DENSITIES = (100, 300, 1000, 3000)
TURNS = (5, 6, 8, 10, 15, 25, 50)
DETECTIONS = (1.0, 0.8, 0.6, 0.4)


class Outcome(NamedTuple):
    """What became of one planted mark."""

    found: bool
    multiple: bool
    made_up: bool
    error: float
    members: float


@click.group()
def main() -> None:
    """Measure the search for recurring marks."""


@main.command()
@click.option("--coils", default=COILS)
@click.option("--background", "backgrounds", multiple=True, default=BACKGROUNDS)
@click.option("--defects", "densities", multiple=True, type=int, default=DENSITIES)
def false_alarms(coils: int, backgrounds: tuple[str, ...], densities: tuple[int, ...]) -> None:
    """Search coils of random defects."""
    click.echo("| background | defects | coils with a finding | of | 95 % interval |")
    click.echo("| --- | --: | --: | --: | --- |")
    total = 0
    for background in backgrounds:
        for defects in densities:
            plan = Plan(images=IMAGES, shape=SHAPE, defects=defects, background=background)
            alarms = sum(
                bool(find_recurrences(simulate(plan, seed).coil).recurrences)
                for seed in range(coils)
            )
            total += alarms
            low, high = interval(alarms, coils)
            click.echo(
                f"| {background} | {defects:,} | {alarms} | {coils} | {low:.1%} to {high:.1%} |"
            )
    count = coils * len(backgrounds) * len(densities)
    low, high = interval(total, count)
    click.echo(f"| all | | {total} | {count:,} | {low:.2%} to {high:.2%} |")


@main.command()
@click.option("--coils", default=COILS)
@click.option("--background", default="mixed")
@click.option("--defects", multiple=True, type=int, default=(300, 1000))
def detection(coils: int, background: str, defects: tuple[int, ...]) -> None:
    """Plant one mark on each coil."""
    for count in defects:
        click.echo(f"\n{count:,} random defects, background {background}\n")
        columns = [f"seen on {share:.0%} of its turns" for share in DETECTIONS]
        click.echo(f"| turns | {' | '.join(columns)} |")
        click.echo(f"| --: |{' --: |' * len(columns)}")
        everything: list[Outcome] = []
        for turns in TURNS:
            cells = []
            for share in DETECTIONS:
                outcomes = [planted(count, background, turns, share, seed) for seed in range(coils)]
                everything += outcomes
                cells.append(f"{np.mean([one.found for one in outcomes]):.1%}")
            click.echo(f"| {turns} | {' | '.join(cells)} |")
        summary(everything)


@main.command()
@click.option("--coils", default=COILS)
@click.option("--background", default="mixed")
@click.option("--defects", default=1000)
def partly(coils: int, background: str, defects: int) -> None:
    """Plant a mark along each coil that is seen on some of its turns."""
    click.echo("| seen on | found as one row | in several rows | with other periods | not found |")
    click.echo("| --: | --: | --: | --: | --: |")
    for share in (0.6, 0.5, 0.4, 0.3):
        counts = np.zeros(4, dtype=int)
        for seed in range(coils):
            counts[rows_of_a_mark(seed, background, defects, share)] += 1
        click.echo(f"| {share:.0%} | {' | '.join(f'{count / coils:.1%}' for count in counts)} |")


@main.command()
@click.option("--coils", default=COILS)
def two(coils: int) -> None:
    """Plant two marks on each coil."""
    click.echo("| two marks | both found | one | none | something made up |")
    click.echo("| --- | --: | --: | --: | --: |")
    for name, shared in (("of one roll", True), ("of two rolls", False)):
        counts, made_up = np.zeros(3, dtype=int), 0
        for seed in range(coils):
            sim = pair(seed, shared=shared)
            found = find_recurrences(sim.coil).recurrences
            marks = [of_mark(found, sim, number) for number in (0, 1)]
            counts[sum(mark is not None for mark in marks)] += 1
            made_up += any(origin(one, sim) < 0 for one in found)
        none, one, both = (f"{count / coils:.1%}" for count in counts)
        click.echo(f"| {name} | {both} | {one} | {none} | {made_up / coils:.1%} |")


@main.command()
@click.option("--images", default=5000)
@click.option("--defects", default=20000)
def speed(images: int, defects: int) -> None:
    """Take the time of sdd-coil on the results of a long coil."""
    mark = Mark(period=3141.6, first=20_000.0, across=100.0, detection=0.8)
    plan = Plan(images=images, defects=defects, background="mixed", marks=(mark,))
    with tempfile.TemporaryDirectory() as place:
        write(simulate(plan, 0), Path(place) / "results")
        took, processor, memory = run(Path(place))
    click.echo("| images | random defects | seconds | processor seconds | highest memory, MB |")
    click.echo("| --: | --: | --: | --: | --: |")
    click.echo(f"| {images:,} | {defects:,} | {took:.1f} | {processor:.1f} | {memory:.0f} |")


def interval(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share."""
    low = beta.ppf(0.025, count, of - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, of - count) if count < of else 1.0
    return float(low), float(high)


def planted(defects: int, background: str, turns: int, share: float, seed: int) -> Outcome:
    """Plant a mark of some turns somewhere on a coil, and look for it."""
    random = np.random.default_rng([seed, turns, round(100 * share)])
    period = float(np.exp(random.uniform(np.log(500), np.log(7000))))
    length = IMAGES * SHAPE[1]
    first = float(random.uniform(0, length - period * turns))
    mark = Mark(
        period=period,
        first=first,
        last=first + (turns - 0.5) * period,
        across=float(random.uniform(10, SHAPE[0] - 10)),
        class_number=int(random.integers(1, 5)),
        detection=share,
        jitter_along=4.0,
        jitter_across=3.0,
        confusion=0.1,
    )
    plan = Plan(images=IMAGES, shape=SHAPE, defects=defects, background=background, marks=(mark,))
    sim = simulate(plan, seed)
    found = find_recurrences(sim.coil).recurrences
    ours = of_mark(found, sim, 0)
    ratio = ours.period / period if ours else np.nan
    right = ours is not None and abs(ratio - 1) < 5e-3
    return Outcome(
        found=right,
        multiple=ours is not None and not right,
        made_up=any(origin(one, sim) < 0 for one in found),
        error=abs(ratio - 1) if right else np.nan,
        members=recall(ours, sim) if ours is not None and right else np.nan,
    )


def rows_of_a_mark(seed: int, background: str, defects: int, share: float) -> int:
    """How a mark along a whole coil is found: 0 as one row, 1 in several, 2 wrongly, 3 not."""
    random = np.random.default_rng([seed, round(100 * share)])
    period = float(np.exp(random.uniform(np.log(1000), np.log(7000))))
    mark = Mark(
        period=period,
        first=float(random.uniform(0, 20_000)),
        across=float(random.uniform(10, SHAPE[0] - 10)),
        class_number=int(random.integers(1, 5)),
        detection=share,
    )
    plan = Plan(images=IMAGES, shape=SHAPE, defects=defects, background=background, marks=(mark,))
    sim = simulate(plan, seed)
    found = [one for one in find_recurrences(sim.coil).recurrences if origin(one, sim) == 0]
    if not found:
        return 3
    if any(abs(one.period / period - 1) > 5e-3 for one in found):
        return 2
    return int(len(found) > 1)


def pair(seed: int, *, shared: bool) -> SimulatedCoil:
    """A coil with two marks that are seen on eight of ten turns, along all of it."""
    random = np.random.default_rng(seed)
    periods = np.exp(random.uniform(np.log(2000), np.log(7000), 2))
    widths = random.permutation(np.linspace(20, SHAPE[0] - 20, 6))[:2]
    marks = tuple(
        Mark(
            period=float(periods[0 if shared else number]),
            first=float(random.uniform(0, 2000)),
            across=float(widths[number]),
            class_number=number + 1,
            detection=0.8,
            jitter_along=4.0,
        )
        for number in (0, 1)
    )
    return simulate(
        Plan(images=IMAGES, shape=SHAPE, defects=1000, background="mixed", marks=marks), seed
    )


def origin(found: Recurrence, sim: SimulatedCoil) -> int:
    """Which mark most members of a recurrence are of; -1 for random defects."""
    origins = sim.mark[found.members] + 1
    return int(np.bincount(origins).argmax()) - 1


def of_mark(found: tuple[Recurrence, ...], sim: SimulatedCoil, number: int) -> Recurrence | None:
    """The recurrence of a mark."""
    return next((one for one in found if origin(one, sim) == number), None)


def recall(found: Recurrence, sim: SimulatedCoil) -> float:
    """Share of a mark's defects that belong to its recurrence."""
    return float((sim.mark[found.members] == 0).sum() / (sim.mark == 0).sum())


def summary(outcomes: list[Outcome]) -> None:
    """Say what all marks together came to."""
    errors = np.array([one.error for one in outcomes])
    members = np.array([one.members for one in outcomes])
    median, worst = np.nanquantile(errors, [0.5, 0.95])
    click.echo(
        f"\nPeriods of those found: off by {median:.3%} in the middle, {worst:.3%} at the 95th "
        f"percentile; {np.nanmean(members):.1%} of a mark's defects are its members. "
        f"A multiple or part of the period instead: {np.mean([o.multiple for o in outcomes]):.1%}. "
        f"Coils with something made up: {np.mean([o.made_up for o in outcomes]):.2%} of "
        f"{len(outcomes):,}."
    )


def write(sim: SimulatedCoil, folder: Path) -> None:
    """Write the results that sdd-predict would have left of a coil."""
    coil = sim.coil
    paths = [Path(name) for name in coil.images]
    maps = label_maps(sim)
    with ResultsWriter(folder, paths, CLASSES, overlays=False) as writer:
        for path, label_map in zip(paths, maps, strict=True):
            writer.add(
                Prediction(
                    source=str(path),
                    classes=CLASSES,
                    verdict="defect" if label_map.any() else "clean",
                    label_map=label_map,
                )
            )


def label_maps(sim: SimulatedCoil) -> Iterator[NDArray[np.uint8]]:
    """Draw each defect as an ellipse of its size."""
    defects, down, right = sim.coil.defects, *np.mgrid[: SHAPE[0], : SHAPE[1]]
    for image in range(len(sim.coil.images)):
        label_map = np.zeros(SHAPE, dtype=np.uint8)
        for number in np.flatnonzero(defects.image == image):
            x = defects.along[number] - image * SHAPE[1]
            y = defects.across[number]
            rows = slice(max(0, int(y) - 60), int(y) + 60)
            columns = slice(max(0, int(x) - 60), int(x) + 60)
            height = max(2, min(100, defects.across_size[number]) / 2)
            width = max(2, min(100, defects.along_size[number]) / 2)
            inside = ((down[rows, columns] - y) / height) ** 2
            inside = inside + ((right[rows, columns] - x) / width) ** 2 <= 1
            label_map[rows, columns][inside] = defects.class_number[number]
        yield label_map


def run(place: Path) -> tuple[float, float, float]:
    """Run sdd-coil: seconds, seconds of processor, and the most memory, in megabytes."""
    words = [str(place / "results"), "--output", str(place / "coil"), "--mm-per-pixel", "0.5"]
    code = "from steel_defect_detection.cli.coil import main; main()"
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        msg = f"sdd-coil ended with status {status}"
        raise click.ClickException(msg)
    took = time.monotonic() - begun
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
