r"""Measure how well models know what they do not know; the tables of docs/results.md.

``sets`` takes a classifier of NEU-CLS (and, beside it, one with a DUQ head) and
looks at images of other sets and at its own test images made worse. ``classes``
takes classifiers that were trained without one class, and looks at that class.
``strips`` takes the gates that ``train_builtin.py validate`` has trained, each
without a fold of the strips, and looks at that fold. ``recall`` chooses thresholds
of a segmenter on half of a fold, and looks at the other half.

What is familiar is learned from training images, and where it ends from
validation images; test images serve for measuring alone::

    python scripts/measure_familiarity.py sets --data DATA --split neu_cls.csv \\
        --model runs/neu-cls --duq neu-duq
    python scripts/measure_familiarity.py classes --data DATA --split neu_cls.csv \\
        --runs RUNS crazing scratches
    python scripts/measure_familiarity.py strips --data DATA --runs RUNS
    python scripts/measure_familiarity.py recall --data DATA --split neu_seg.csv --model neu-seg-2
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.covariance import LedoitWolf

from steel_defect_detection import checkpoints, images, load_predictor
from steel_defect_detection.calibration import Aim, calibrate, looks, thresholds
from steel_defect_detection.calibration.looks import Observer
from steel_defect_detection.datasets import dealing, layouts, severstal, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.ranking import auroc

Image = NDArray[np.uint8]
Scores = NDArray[np.float64]
SIDE = 200
FOLDS = 5
DRAWS = 200


def change(kind: str, image: Image, random: np.random.Generator) -> Image:
    """Make an image worse, or move it.

    Args:
        kind: A word and a number, such as ``blur 2``.
        image: uint8, shape ``(height, width, 1)``.
        random: What noise is drawn from.
    """
    word, _, number = kind.partition(" ")
    value = float(number)
    if word == "blur":
        return cv2.GaussianBlur(image, (0, 0), value)[..., None]
    if word == "darkness":
        return np.asarray(image * (1 - value), dtype=np.uint8)
    if word == "moved":
        turned = cv2.copyMakeBorder(image, 0, 0, int(value), 0, cv2.BORDER_REFLECT_101)
        return np.ascontiguousarray(turned[:, : image.shape[1]]).reshape(image.shape)
    offset = random.normal(0, value, image.shape) if word == "noise" else value
    return np.clip(image + offset, 0, 255).astype(np.uint8)


CHANGES = (
    *(f"blur {sigma}" for sigma in range(1, 7)),
    *(f"darkness {share}" for share in (0.2, 0.4, 0.6, 0.8)),
    *(f"brightness {value}" for value in (20, 50, 80)),
    *(f"noise {deviation}" for deviation in (5, 10, 20, 40)),
    "moved 40",
)


@click.group()
def main() -> None:
    """Measure how well models know what they do not know."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--split", type=click.Path(path_type=Path), required=True)
@click.option("--model", required=True, help="Classifier of NEU-CLS.")
@click.option("--duq", help="Classifier with a DUQ head, trained on the same images.")
def sets(data: Path, split: Path, model: str, duq: str | None) -> None:
    """Look at other sets, and at test images made worse."""
    parts = splits.read(split, layouts.read(data / "neu_cls"))
    methods = {
        "familiarity": familiarity_of(model, parts["train"], parts["validation"]),
        "last stage alone (DDU)": density_of_last_stage(model, parts["train"]),
        "probability of the class": certainty_of(model),
    }
    if duq is not None:
        methods["DUQ kernel"] = certainty_of(duq)
    shown = {"test images": list(read(parts["test"].entries))}
    others = {
        "magnetic tiles": layouts.read(data / "magnetic_tile").entries[::10],
        "roads": layouts.read(data / "crackforest").entries,
        "welds": layouts.read(data / "tig_ss304").entries,
        "Severstal strips": strips_of(data)[0].entries,
    }
    shown |= {name: [middle(image) for image in read(found)] for name, found in others.items()}
    random = np.random.default_rng(0)
    familiar = shown["test images"]
    shown |= {kind: [change(kind, image, random) for image in familiar] for kind in CHANGES}
    table({name: judge(method, shown) for name, method in methods.items()})


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--split", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.argument("left_out", nargs=-1, required=True)
def classes(data: Path, split: Path, runs: Path, left_out: Sequence[str]) -> None:
    """Look at a class that a classifier has not learned; its runs are called ``without-CLASS``."""
    parts = splits.read(split, layouts.read(data / "neu_cls"))
    for name in left_out:
        known = {part: without(dataset, name) for part, dataset in parts.items()}
        model = str(runs / f"without-{name}")
        methods = {
            "familiarity": familiarity_of(model, known["train"], known["validation"]),
            "last stage alone (DDU)": density_of_last_stage(model, known["train"]),
            "probability of the class": certainty_of(model),
        }
        place = parts["test"].classes.index(name)
        strange = [
            entry
            for dataset in parts.values()
            for entry in dataset.entries
            if entry.labels is not None and entry.labels[place]
        ]
        shown = {"test images": list(read(known["test"].entries)), name: list(read(strange))}
        table({word: judge(method, shown) for word, method in methods.items()})


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.option("--seed", default=0, help="Seed of the folds.")
def strips(data: Path, runs: Path, seed: int) -> None:
    """Look at strips that neither gate nor density has seen, by cross-validation."""
    masked, labelled = strips_of(data)
    folds = dealing.folds(masked.labels(), fold_count=FOLDS, seed=seed)
    found: dict[str, list[float]] = {}
    random = np.random.default_rng(0)
    others = {
        "NEU-CLS": layouts.read(data / "neu_cls").entries[::30],
        "magnetic tiles": layouts.read(data / "magnetic_tile").entries[::20],
        "roads": layouts.read(data / "crackforest").entries[::2],
        "welds": layouts.read(data / "tig_ss304").entries[::5],
    }
    for fold in range(FOLDS):
        known = masked.subset(np.flatnonzero(folds != fold))
        known = replace(known, entries=known.entries + labelled.entries)
        judged = familiarity_of(str(runs / f"gate-{seed}" / f"fold-{fold}"), None, known)
        held_out = list(read(masked.subset(np.flatnonzero(folds == fold)).entries))
        shown = {"test images": held_out}
        shown |= {kind: [change(kind, image, random) for image in held_out] for kind in CHANGES}
        shown |= {name: list(read(entries))[fold::FOLDS] for name, entries in others.items()}
        for name, scores in judge(judged, shown).items():
            found.setdefault(name, []).extend(scores)
    table({"familiarity": {name: np.array(scores) for name, scores in found.items()}})


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--split", type=click.Path(path_type=Path), required=True)
@click.option("--model", required=True, help="Segmenter of NEU-Seg that has not seen fold 0.")
@click.option("--target", default=0.95, help="Recall to choose for.")
def recall(data: Path, split: Path, model: str, target: float) -> None:
    """Choose thresholds for a recall on half of fold 0, and look at the other half."""
    fold = splits.read(split, layouts.read(data / "neu_seg"), fold=0)["validation"]
    groups = sorted({str(entry.group) for entry in fold.entries})
    first = set(np.random.default_rng(0).permutation(groups)[: len(groups) // 2])
    known = [str(entry.group) in first for entry in fold.entries]
    found = calibrate(
        model, fold.subset(np.flatnonzero(known)), aim=Aim(target_recall=target), kept=None
    )
    unseen = fold.subset(np.flatnonzero(np.logical_not(known)))
    scores, truth = looks.outline_scores(found.checkpoint, unseen)
    click.echo("| class | threshold | recall | overkill | recall at 0.5 | overkill at 0.5 |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    for decision in thresholds.per_class("pixels", fold.classes, scores, truth):
        chosen = decision.threshold(found.checkpoint.header.thresholds)
        now, before = decision.at(chosen), decision.at(0.5)
        low, high = now["underkill_interval"]
        click.echo(
            f"| {decision.name} | {chosen:.3f} | {1 - now['underkill']:.3f} ({1 - high:.3f} to "
            f"{1 - low:.3f}) | {now['overkill']:.3f} | {1 - before['underkill']:.3f} | "
            f"{before['overkill']:.3f} |"
        )


def familiarity_of(
    model: str, training: Dataset | None, dataset: Dataset
) -> Callable[[Image], float]:
    """Familiarity of images, by a model that is calibrated for it; below 0 it is unfamiliar."""
    found = calibrate(model, dataset, training=training).checkpoint
    predictor = load_predictor(found, least_familiarity=0, precision="float32")
    least = found.header.thresholds.familiarity

    def judged(image: Image) -> float:
        familiarity = predictor.predict(image).familiarity or 0.0
        return float(np.log(max(familiarity, 1e-30) / least))

    return judged


def certainty_of(model: str) -> Callable[[Image], float]:
    """Highest probability of a class, without a border of its own."""
    predictor = load_predictor(model, precision="float32")

    def judged(image: Image) -> float:
        scores = predictor.predict(image).scores
        return float("nan") if scores is None else float(scores.max())

    return judged


def density_of_last_stage(model: str, training: Dataset) -> Callable[[Image], float]:
    """Log density of the last features, a Gaussian per class: deep deterministic uncertainty."""
    observer = Observer(checkpoints.load(model))

    def features(image: Image) -> Scores:
        numbers = observer.look(image)[1][0]
        width = observer.channels[-1]
        return np.asarray(numbers[-2 * width : -width], dtype=np.float64)

    rows = np.array([features(image) for image in read(training.entries)])
    kinds = training.labels().argmax(axis=1)
    fitted = [LedoitWolf().fit(rows[kinds == kind]) for kind in np.unique(kinds)]
    volumes = [np.linalg.slogdet(density.covariance_)[1] for density in fitted]

    def judged(image: Image) -> float:
        row = features(image)[None]
        logs = [
            -(density.mahalanobis(row)[0] + volume) / 2
            for density, volume in zip(fitted, volumes, strict=True)
        ]
        return float(np.logaddexp.reduce(logs))

    return judged


def judge(
    method: Callable[[Image], float], shown: Mapping[str, Sequence[Image]]
) -> dict[str, Scores]:
    """Score images, the higher the more familiar, by name of their set."""
    return {name: np.array([method(image) for image in found]) for name, found in shown.items()}


def table(found: Mapping[str, Mapping[str, Scores]]) -> None:
    """Print AUROC against the test images, and the share that familiarity calls unfamiliar."""
    sets_shown = next(iter(found.values()))
    click.echo(f"| images | number | called unfamiliar | {' | '.join(found)} |")
    click.echo("| --- | --- | --- |" + " --- |" * len(found))
    for name in sets_shown:
        cells = [area(scores["test images"], scores[name], name) for scores in found.values()]
        strange = int((sets_shown[name] < 0).sum())
        number = len(sets_shown[name])
        low, high = binomtest(strange, number).proportion_ci(method="wilson")
        share = f"{strange / number:.3f} ({low:.3f} to {high:.3f})"
        click.echo(f"| {name} | {number} | {share} | {' | '.join(cells)} |")


def area(familiar: Scores, strange: Scores, name: str) -> str:
    """AUROC with its bootstrap interval."""
    if name == "test images":
        return ""
    scores = np.concatenate([familiar, strange])
    labels = np.arange(len(scores)) < len(familiar)
    low, high = bootstrap.interval(auroc, scores, labels, rounds=DRAWS)
    return f"{auroc(scores, labels):.3f} ({low:.3f} to {high:.3f})"


def read(entries: Sequence[Entry]) -> Iterator[Image]:
    """Read images as grey ones."""
    return (images.to_grey(entry.read_image()) for entry in entries)


def middle(image: Image) -> Image:
    """Cut out the middle, of the size of NEU's images, so that size tells nothing."""
    top, left = ((side - SIDE) // 2 for side in image.shape[:2])
    return np.ascontiguousarray(image[max(top, 0) :, max(left, 0) :][:SIDE, :SIDE])


def without(dataset: Dataset, name: str) -> Dataset:
    """A data set without one class."""
    place = dataset.classes.index(name)
    kept = [
        replace(entry, labels=(*entry.labels[:place], *entry.labels[place + 1 :]))
        for entry in dataset.entries
        if entry.labels is not None and not entry.labels[place]
    ]
    names = tuple(other for other in dataset.classes if other != name)
    return replace(dataset, classes=names, entries=tuple(kept))


def strips_of(data: Path) -> tuple[Dataset, Dataset]:
    """The strips with masks, and those of which only the classes are known."""
    folder = data / "severstal_image_labels"
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    entries = tuple(
        Entry(
            name=row["ImageId"],
            path=folder / "images" / row["ImageId"],
            labels=tuple(row[f"defect_{number}"] == "1" for number in range(1, 5)),
        )
        for row in rows
    )
    return severstal.read(data / "severstal").labelled(), Dataset(
        classes=severstal.CLASSES, entries=entries
    )


if __name__ == "__main__":
    main()
