r"""Measure whether synthetic defects help where images are few; the tables of docs/results.md.

``few`` takes a set with many images, hides most of its training images, and trains
on 5, 10 or 20 of each class: alone, with drawn defects, and with transplanted ones,
which are made from those few images only. ``strips`` does the same with the strips
of Severstal, a fold of which is left out at a time. All arms start from the same
weights and take the same number of steps on images of the same size; each is judged
after its last step, on real images alone, at the threshold 1/2::

    python scripts/measure_synthesis.py few DATA --split split.csv --output RUNS
    python scripts/measure_synthesis.py few DATA --split split.csv --output RUNS \\
        --side 160 --gate
    python scripts/measure_synthesis.py strips DATA --init MODEL --output RUNS
    python scripts/measure_synthesis.py table RUNS

``likeness`` asks why: how far synthetic images of each class lie from real test images,
as a classifier of ours sees them, beside the distance of the real training images::

    python scripts/measure_synthesis.py likeness DATA --split split.csv

What was measured already is not measured again.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import checkpoints, images, load_predictor
from steel_defect_detection.datasets import dealing, layouts, reduction, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.evaluation.judging import evaluate
from steel_defect_detection.synthesis.amounts import Amount
from steel_defect_detection.synthesis.distance import Judge, kernel_distance
from steel_defect_detection.synthesis.draw import Drawer, kind_of, looks_of
from steel_defect_detection.synthesis.made import Maker
from steel_defect_detection.synthesis.patches import Patches
from steel_defect_detection.synthesis.sheets import Sheets, choose_kinds
from steel_defect_detection.synthesis.synthesize import synthesize
from steel_defect_detection.synthesis.transplant import Transplanter
from steel_defect_detection.training import presets
from steel_defect_detection.training.run import train

ARMS = ("real", "drawn", "transplanted")
MEASURES = {
    "outlines": ("miou", "dice_on_defects", "dice_kaggle"),
    "any_defect": ("auroc", "accuracy"),
}
PER_CLASS = 40
EPOCHS = 3
FOLDS = 4


def drawer(part: Dataset) -> Maker:
    """Draw defects that look like those of the part, on its sheets."""
    classes = range(1, len(part.classes) + 1)
    kinds = {number: kind_of(part.classes[number - 1]) or "patches" for number in classes}
    return Drawer(sheets=_sheets(part), kinds=kinds, looks=looks_of(part))


def transplanter(part: Dataset) -> Maker:
    """Put defects of the part on other images of it."""
    return Transplanter(patches=Patches(dataset=part, templates={}), sheets=_sheets(part))


def _sheets(part: Dataset) -> Sheets:
    return Sheets(dataset=part, kinds=choose_kinds(part), shape=(256, 1600))


def measure(  # noqa: PLR0913 -- one argument per thing that differs between runs
    arm: str,
    few: Dataset,
    test: Dataset,
    output: Path,
    *,
    seed: int,
    images: int,
    settings: Mapping[str, object],
    real_share: float | None,
) -> dict[str, float]:
    """Train one arm and judge it, unless that was done already.

    Args:
        arm: One of ``ARMS``.
        few: The real training images.
        test: Real images to judge on.
        output: Folder of this run.
        seed: Seed of the synthetic images and of the training.
        images: Images that the training sees, those seen again included.
        settings: Changes to the preset ``neu-seg``, or ``neu-cls`` for a classifier.
        real_share: Share of real images in each epoch; None: as they lie in the
            data set.
    """
    score = output / "score.json"
    if score.is_file():
        return dict(json.loads(score.read_text()))
    shutil.rmtree(output, ignore_errors=True)
    synthetic: Sequence[Entry] = ()
    if arm != "real":
        maker = drawer if arm == "drawn" else transplanter
        # A class with a single speck may have nothing to cut out or to follow.
        shown = tuple(int(number) for number in few.labels().any(axis=0).nonzero()[0] + 1)
        amounts = {"train": Amount(per_class=PER_CLASS)}
        made = synthesize({"train": few}, maker, output / "data", amounts, classes=shown, seed=seed)
        written = layouts.read(made.output).labelled()
        synthetic = [entry for entry in written.entries if entry.made_from is not None]
    is_gate = settings.get("architecture") == "classifier"
    # A gate learns little from an epoch in which nearly all images are clean.
    epoch = _balanced_epoch if is_gate else _epoch
    entries = epoch(few.entries, synthetic, images // EPOCHS, real_share, seed)
    config = presets.load(
        "neu-cls" if is_gate else "neu-seg",
        validation_share=0,
        keep="last",
        epochs=EPOCHS,
        seed=seed,
        pictures=False,
        **settings,
    )
    run = train(config, replace(few, entries=entries), output / "run", overwrite=True)
    # OpenVINO would convert each of these short-lived networks first.
    predictor = load_predictor(run, runtime="pytorch")
    section = "any_defect" if is_gate else "outlines"
    summary = evaluate(predictor, test).summary()[section]
    found = {name: float(summary[name]) for name in MEASURES[section]}
    score.write_text(json.dumps(found))
    shutil.rmtree(output / "run")
    shutil.rmtree(output / "data", ignore_errors=True)
    return found


def _epoch(
    real: Sequence[Entry],
    synthetic: Sequence[Entry],
    count: int,
    real_share: float | None,
    seed: int,
) -> tuple[Entry, ...]:
    """Repeat images until an epoch is full, each as often as the others of its kind."""
    random = np.random.default_rng(seed)
    if not synthetic or real_share is None:
        return _repeated([*real, *synthetic], count, random)
    reals = round(real_share * count)
    return _repeated(real, reals, random) + _repeated(synthetic, count - reals, random)


def _balanced_epoch(
    real: Sequence[Entry],
    synthetic: Sequence[Entry],
    count: int,
    real_share: float | None,
    seed: int,
) -> tuple[Entry, ...]:
    """Show each class, and images without any, equally often."""
    random = np.random.default_rng(seed)
    kinds: dict[tuple[bool, ...], list[Entry]] = {}
    for entry in (*real, *synthetic):
        kinds.setdefault(entry.labels or (), []).append(entry)
    if real_share is not None:
        msg = "classes are balanced, not real and synthetic images"
        raise click.UsageError(msg)
    each = count // len(kinds)
    return tuple(entry for of_kind in kinds.values() for entry in _repeated(of_kind, each, random))


def _repeated(
    entries: Sequence[Entry], count: int, random: np.random.Generator
) -> tuple[Entry, ...]:
    chosen = [
        (int(number), turn)
        for turn in range(-(-count // len(entries)))
        for number in random.permutation(len(entries))
    ][:count]
    return tuple(
        replace(entries[number], name=f"{entries[number].name}#{turn}") for number, turn in chosen
    )


@click.group()
def main() -> None:
    """Measure whether synthetic defects help."""


_output = click.option("--output", type=click.Path(path_type=Path), required=True)
_images = click.option("--images", default=2400, show_default=True, help="Seen while training.")
_real_share = click.option("--real-share", type=float, help="Share of real images in an epoch.")
_arms = click.option("--arms", default=",".join(ARMS), show_default=True)
_size = click.option("--side", default=128, show_default=True, help="Pixels that the network sees.")
_crops = click.option("--crops", is_flag=True, help="See windows of that size, not whole images.")
_gate = click.option(
    "--gate", is_flag=True, help="Only tell defective images from clean ones; all clean ones help."
)


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--split", type=click.Path(path_type=Path), required=True)
@click.option("--init", default="strip", show_default=True)
@click.option("--counts", default="5,10,20", show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--judged", default=200, show_default=True, help="Most test images to judge on.")
@_output
@_images
@_real_share
@_arms
@_size
@_crops
@_gate
def few(  # noqa: PLR0913, PLR0917 -- one argument per option
    data: Path,
    split: Path,
    init: str,
    counts: str,
    seeds: int,
    judged: int,
    output: Path,
    images: int,
    real_share: float | None,
    arms: str,
    side: int,
    crops: bool,
    gate: bool,
) -> None:
    """Train on a few images of each class, judge on the split's test images."""
    parts = splits.read(split, layouts.read(data).labelled())
    order = np.random.default_rng(0).permutation(len(parts["test"]))
    test = parts["test"].subset(sorted(order[:judged].tolist()))
    seen = {"crop_size": (side, side), "defect_crops": 0.7} if crops else {"size": (side, side)}
    settings = {"init": init, "batch_size": 8, **seen}
    if gate:
        settings |= {"architecture": "classifier", "labels": "independent"}
    for seed in range(seeds):
        for count in map(int, counts.split(",")):
            part = parts["train"]
            numbers = set(reduction.choose(part, count, seed))
            if gate:
                numbers |= set((~part.defective()).nonzero()[0].tolist())
            chosen = part.subset(sorted(numbers))
            for arm in arms.split(","):
                place = output / f"{count}-{arm}" / str(seed)
                found = measure(
                    arm,
                    chosen,
                    test,
                    place,
                    seed=seed,
                    images=images,
                    settings=settings,
                    real_share=real_share,
                )
                click.echo(f"{place} {len(chosen)} images: {found}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--init", required=True, help="A model that has not seen these strips.")
@_output
@_images
@_real_share
@_arms
def strips(
    data: Path, init: str, output: Path, images: int, real_share: float | None, arms: str
) -> None:
    """Leave out a fold of the strips at a time."""
    dataset = layouts.read(data).labelled()
    folds = dealing.folds(dataset.labels(), fold_count=FOLDS, seed=0)
    settings = {"init": init, "size": (128, 800), "batch_size": 4}
    for fold in range(FOLDS):
        train_part = dataset.subset((folds != fold).nonzero()[0])
        test = dataset.subset((folds == fold).nonzero()[0])
        for arm in arms.split(","):
            place = output / f"strips-{arm}" / str(fold)
            found = measure(
                arm,
                train_part,
                test,
                place,
                seed=fold,
                images=images,
                settings=settings,
                real_share=real_share,
            )
            click.echo(f"{place}: {found}")


@main.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--split", type=click.Path(path_type=Path), required=True)
@click.option("--model", default="strip", show_default=True, help="Whose features count.")
@click.option("--count", default=20, show_default=True, help="Training images of each class.")
@click.option("--side", default=128, show_default=True, help="Pixels that the network sees.")
@click.option("--seeds", default=3, show_default=True)
def likeness(data: Path, split: Path, model: str, count: int, side: int, seeds: int) -> None:
    """Print kernel distances to real test images of the same class, times 1,000, in Markdown."""
    parts = splits.read(split, layouts.read(data).labelled())
    judge = Judge(checkpoints.load(model))
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(seeds):
        part = parts["train"]
        few_images = part.subset(sorted(reduction.choose(part, count, seed)))
        with TemporaryDirectory() as work:
            made = {
                arm: layouts.read(
                    synthesize(
                        {"train": few_images},
                        maker,
                        Path(work, arm),
                        {"train": Amount(per_class=PER_CLASS)},
                        seed=seed,
                    ).output
                ).labelled()
                for arm, maker in (("drawn", drawer), ("transplanted", transplanter))
            }
            for number, name in enumerate(part.classes):
                truth = _features(judge, _showing(parts["test"], number, synthetic=False), side)
                arms = {"real": _showing(few_images, number, synthetic=False)}
                arms |= {arm: _showing(own, number, synthetic=True) for arm, own in made.items()}
                for arm, samples in arms.items():
                    distance, _ = kernel_distance(truth, _features(judge, samples, side))
                    found.setdefault((name, arm), []).append(distance)
    click.echo("| class | " + " | ".join(ARMS) + " |\n|---|" + "---|" * len(ARMS))
    for name in parts["train"].classes:
        cells = [
            f"{1e3 * np.mean(found[name, arm]):.1f} ± {1e3 * np.std(found[name, arm], ddof=1):.1f}"
            for arm in ARMS
        ]
        click.echo(f"| {name} | " + " | ".join(cells) + " |")


def _showing(dataset: Dataset, number: int, *, synthetic: bool) -> Dataset:
    entries = [(entry.made_from is not None) == synthetic for entry in dataset.entries]
    return dataset.subset((dataset.labels()[:, number] & np.array(entries)).nonzero()[0])


def _features(judge: Judge, dataset: Dataset, side: int) -> NDArray[np.float64]:
    small = [
        cv2.resize(
            images.to_grey(dataset[number].image), (side, side), interpolation=cv2.INTER_AREA
        )
        for number in range(min(len(dataset), 100))
    ]
    return judge.features([np.dstack([pixels.astype(np.uint8)] * 3) for pixels in small])


@main.command()
@click.argument("runs", type=click.Path(path_type=Path))
def table(runs: Path) -> None:
    """Print mean and standard deviation over seeds or folds, in Markdown.

    The last column but one compares each with the real images alone of the same
    seed or fold, in the first measure.
    """
    header: tuple[str, ...] = ()
    for folder in sorted(path for path in runs.iterdir() if path.is_dir()):
        scores = _scores(folder)
        if not scores:
            continue
        names = tuple(next(iter(scores.values())))
        if names != header:
            header = names
            click.echo("| run | " + " | ".join(header) + f" | more {header[0]} | runs |")
            click.echo("|---|" + "---|" * (len(header) + 2))
        cells = [_spread([score[name] for score in scores.values()]) for name in header]
        real = _scores(folder.with_name(folder.name.rpartition("-")[0] + "-real"))
        gains = [
            score[header[0]] - real[seed][header[0]]
            for seed, score in scores.items()
            if seed in real and not folder.name.endswith("-real")
        ]
        cells.append(_spread(gains) if gains else "")
        click.echo(f"| {folder.name} | {' | '.join(cells)} | {len(scores)} |")


def _scores(folder: Path) -> dict[str, dict[str, float]]:
    paths = sorted(folder.glob("*/score.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


def _spread(values: Sequence[float]) -> str:
    deviation = np.std(values, ddof=1) if len(values) > 1 else float("nan")
    return f"{np.mean(values):.3f} ± {deviation:.3f}"


if __name__ == "__main__":
    main()
