"""Train and measure the built-in model ``strip``.

Each step reads from DATA (``severstal``, ``severstal_image_labels``,
``neu_seg``, ``magnetic_tile``) and writes run folders into RUNS; a step that
was interrupted goes on when it is called again::

    python scripts/train_builtin.py pretrain --data DATA --runs RUNS
    python scripts/train_builtin.py draw --runs RUNS
    python scripts/train_builtin.py adapt --runs RUNS
    python scripts/train_builtin.py validate --data DATA --runs RUNS
    python scripts/train_builtin.py shuffle --data DATA --runs RUNS
    python scripts/train_builtin.py finish --data DATA --runs RUNS

``pretrain`` teaches a LinkNet the look of metal on two foreign sets, ``adapt``
the look of strips on drawn ones. ``validate`` measures gate and segmenter by
cross-validation over the 26 Severstal images, ``shuffle`` does the same with
shuffled labels, which must give nothing. ``finish`` trains on all images and
writes the checkpoint that ships.
"""

import csv
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import steel_defect_detection
from steel_defect_detection import checkpoints, files, images, masks, rle
from steel_defect_detection.checkpoints import Card, Checkpoint, DataSource, Thresholds
from steel_defect_detection.datasets import magnetic_tile, neu_seg, severstal, splits
from steel_defect_detection.datasets.dataset import Dataset, Entry, MaskSource
from steel_defect_detection.metrics.classification import auroc, bootstrap_interval
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.synthesis.procedural import draw_strip
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

# Strips of other seeds than the built-in samples, so that those stay unseen.
FIRST_SEED = 1000
DRAWN_COUNT = 600

PRETRAIN = TrainConfig(
    description="LinkNet on NEU-Seg and magnetic tiles, to start the strip model from.",
    architecture="linknet",
    crop_size=(192, 192),
    zoom=0.3,
    rotation_degrees=10,
    brightness=0.3,
    contrast=0.3,
    blur_and_noise=0.2,
    optimizer="adamw",
    weight_decay=0.01,
    gradient_clip=1.0,
    scheduler="cosine",
    epochs=8,
    batch_size=16,
    validation_share=0.05,
)


ADAPT = PRETRAIN.model_copy(
    update={
        "description": "LinkNet on drawn strips, started from metal surfaces.",
        "crop_size": (256, 256),
        "crops_per_image": 2,
        "learning_rate": 5e-4,
        "epochs": 4,
        "batch_size": 12,
    }
)

# At half the size a crop costs a quarter, so the few strips are seen far more often.
ADAPT_HALF = ADAPT.model_copy(
    update={
        "scale": 0.5,
        "crop_size": (256, 512),
        "class_weights": (3.0, 3.0, 3.0, 1.0),
        "dice_weight": 0.5,
        "learning_rate": 1e-3,
        "validation_share": 0.05,
    }
)

SEGMENTER = ADAPT_HALF.model_copy(
    update={
        "description": "Segmenter of the built-in model: LinkNet with EfficientNet-B0.",
        "crops_per_image": 6,
        "epochs": 20,
        "batch_size": 8,
        "keep": "last",
        "validation_share": 0.0,
    }
)

GATE = TrainConfig(
    description="Gate of the built-in model: EfficientNet-B0 on strips at half size.",
    architecture="classifier",
    any_defect="logit",
    scale=0.5,
    zoom=0.1,
    brightness=0.3,
    contrast=0.3,
    blur_and_noise=0.2,
    optimizer="adamw",
    learning_rate=2e-4,
    weight_decay=0.01,
    gradient_clip=1.0,
    scheduler="cosine",
    epochs=10,
    batch_size=6,
    keep="last",
    validation_share=0.0,
)

# The gate first learns on drawn strips; 44 real images alone teach it nothing (docs/results.md).
ADAPT_GATE = GATE.model_copy(
    update={"learning_rate": 1e-3, "epochs": 5, "batch_size": 10, "validation_share": 0.05}
)

FOLD_COUNT = 5

# What the thresholds are chosen from; coarse, because 26 images carry no more.
PIXELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MIN_AREAS = (0, 300, 600, 1000, 2000, 3000)


@dataclass(frozen=True)
class Placed:
    """Masks of one data set at their place among the classes of several."""

    source: MaskSource
    offset: int
    own_count: int
    class_count: int

    def read(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Read the masks, bool, shape ``(classes, height, width)``."""
        masks = np.zeros((self.class_count, *shape), dtype=np.bool_)
        masks[self.offset : self.offset + self.own_count] = self.source.read(shape)
        return masks


def union(*datasets: Dataset) -> Dataset:
    """Put data sets one after the other; each keeps classes of its own."""
    classes = tuple(name for dataset in datasets for name in dataset.classes)
    entries = []
    offset = 0
    for dataset in datasets:
        own = len(dataset.classes)
        for entry in dataset.entries:
            masks = Placed(entry.masks, offset, own, len(classes))
            here = set(range(offset, offset + own))
            labels = tuple(number in here for number in range(len(classes)))
            entries.append(replace(entry, masks=masks, labels=labels))
        offset += own
    return Dataset(classes=classes, entries=tuple(entries))


@click.group()
def main() -> None:
    """Train and measure the built-in model."""


@main.command()
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def draw(runs: Path) -> None:
    """Draw the strips that ``adapt`` trains on."""
    rows = ["ImageId,ClassId,EncodedPixels"]
    for seed in tqdm(range(FIRST_SEED, FIRST_SEED + DRAWN_COUNT), unit="strip"):
        random = np.random.default_rng(seed)
        count = random.choice(3, p=(0.45, 0.4, 0.15))
        defects = random.choice([1, 2, 3, 4], size=count, replace=False, p=(0.25, 0.15, 0.35, 0.25))
        strip = draw_strip(seed=seed, defects=defects.tolist())
        images.write(runs / "drawn" / "train_images" / strip.name, strip.image[:, :, :1])
        rows += [
            f"{strip.name},{number},{rle.encode(mask)}"
            for number, mask in enumerate(strip.masks, start=1)
            if mask.any()
        ]
    files.write_text(runs / "drawn" / "train.csv", "\n".join(rows) + "\n")


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def pretrain(data: Path, runs: Path) -> None:
    """Teach a LinkNet the look of metal surfaces."""
    both = union(neu_seg.read(data / "neu_seg"), magnetic_tile.read(data / "magnetic_tile"))
    click.echo(train(PRETRAIN, both, runs / "pretrain"))


@main.command()
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def adapt(runs: Path) -> None:
    """Teach the LinkNet, and from its encoder the gate, the look of strips."""
    config = ADAPT.model_copy(update={"init": str(runs / "pretrain")})
    click.echo(train(config, runs / "drawn", runs / "adapt"))
    for config, name in ((ADAPT_GATE, "adapt-gate"), (ADAPT_HALF, "adapt-half")):
        settings = config.model_copy(update={"init": str(runs / "adapt")})
        click.echo(train(settings, runs / "drawn", runs / name))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.option("--gate-init", default="adapt-gate", help="scratch, adapt or adapt-gate.")
@click.option("--only-gate", is_flag=True, help="Leave the segmenter out.")
def validate(data: Path, runs: Path, gate_init: str, only_gate: bool) -> None:
    """Measure gate and segmenter by cross-validation."""
    strips = severstal.read(data / "severstal")
    labelled = read_labels(data / "severstal_image_labels")
    truth = strips.labels().any(axis=1)
    config = GATE.model_copy(update={"init": start(runs, gate_init)})
    own, gate = cross_validate_gate(config, strips, labelled, runs / f"gate-from-{gate_init}")
    report(f"gate from {gate_init}, logit of its own", own, truth)
    report(f"gate from {gate_init}, likeliest class", gate, truth)
    if only_gate:
        return
    config = SEGMENTER.model_copy(update={"init": start(runs, "adapt-half")})
    maps = cross_validate_segmenter(config, strips, runs / "segmenter-half")
    report("likeliest pixel of the segmenter", maps.max(axis=(1, 2, 3)), truth)
    click.echo(json.dumps(measure(strips, gate, maps), indent=2))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=3, help="How many shuffles.")
def shuffle(data: Path, runs: Path, rounds: int) -> None:
    """Measure the gate on shuffled labels, which must give an AUROC of about .5."""
    strips = severstal.read(data / "severstal")
    config = GATE.model_copy(update={"init": start(runs, "adapt-gate")})
    for seed in range(rounds):
        order = np.random.default_rng(seed).permutation(len(strips))
        mixed = replace(
            strips,
            entries=tuple(
                replace(entry, labels=strips.entries[other].labels, masks=None)
                for entry, other in zip(strips.entries, order, strict=True)
            ),
        )
        nothing = replace(strips, entries=())
        _, scores = cross_validate_gate(config, mixed, nothing, runs / f"shuffled-{seed}")
        report(f"shuffled labels, round {seed}", scores, mixed.labels().any(axis=1))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def finish(data: Path, runs: Path) -> None:
    """Train on all images and write the checkpoint that ships."""
    strips = severstal.read(data / "severstal")
    labelled = read_labels(data / "severstal_image_labels")
    gates = cross_validated(runs / "gate-from-adapt-gate" / "likeliest.npz")
    maps = cross_validated(runs / "segmenter-half" / "maps.npz")
    config = GATE.model_copy(update={"init": start(runs, "adapt-gate")})
    gate = likeliest_class(
        checkpoints.load(train(config, join(strips, labelled), runs / "final-gate"))
    )
    config = SEGMENTER.model_copy(update={"init": start(runs, "adapt-half")})
    segmenter = checkpoints.load(train(config, strips, runs / "final-segmenter-half"))
    both = checkpoints.join(gate, segmenter)
    header = both.header.model_copy(
        update={
            "thresholds": choose(strips, gates, maps),
            "card": card(measure(strips, gates, maps)),
        }
    )
    path = Path(steel_defect_detection.__file__).parent / "weights" / "strip.safetensors"
    checkpoints.save(path, header, both.tensors, half=True)
    click.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MB")


def start(runs: Path, init: str) -> str:
    """What ``init`` means as a setting."""
    return init if init == "scratch" else str(runs / init)


def read_labels(folder: Path) -> Dataset:
    """Read strips of which only the classes are known."""
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    entries = tuple(
        Entry(
            name=row["ImageId"],
            path=folder / "images" / row["ImageId"],
            labels=tuple(row[name] == "1" for name in severstal.CLASSES),
        )
        for row in rows
    )
    return Dataset(classes=severstal.CLASSES, entries=entries)


def join(first: Dataset, second: Dataset) -> Dataset:
    """Put two data sets of the same classes one after the other."""
    return replace(first, entries=first.entries + second.entries)


def cross_validate_gate(
    config: TrainConfig, strips: Dataset, labelled: Dataset, folder: Path
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities of each strip, by a gate that has not seen it.

    The images without masks are always trained on and never judged.

    Returns:
        Of any defect by its own logit, and by the likeliest class; each of
        shape ``(images,)``.
    """
    folds = splits.folds(strips.labels(), fold_count=FOLD_COUNT, seed=0)
    own, likeliest = np.zeros(len(strips)), np.zeros(len(strips))
    for fold in range(FOLD_COUNT):
        training = join(strips.subset(np.flatnonzero(folds != fold)), labelled)
        predictor = load_predictor(train(config, training, folder / f"fold-{fold}"))
        for index in np.flatnonzero(folds == fold):
            prediction = predictor.predict(strips.entries[index].read_image())
            own[index], likeliest[index] = prediction.gate_probability, prediction.scores.max()
    np.savez(folder / "likeliest.npz", likeliest)
    return own, likeliest


def cross_validate_segmenter(
    config: TrainConfig, strips: Dataset, folder: Path
) -> NDArray[np.float32]:
    """Probability of each class and pixel, by a segmenter that has not seen the strip.

    Returns:
        Shape ``(images, classes, height, width)``.
    """
    folds = splits.folds(strips.labels(), fold_count=FOLD_COUNT, seed=0)
    maps: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(strips)
    for fold in range(FOLD_COUNT):
        training = strips.subset(np.flatnonzero(folds != fold))
        path = train(config, training, folder / f"fold-{fold}")
        predictor = load_predictor(path, keep_probabilities=True)
        for index in np.flatnonzero(folds == fold):
            maps[index] = predictor.predict(strips.entries[index].read_image()).probabilities
    np.savez(folder / "maps.npz", np.stack(maps).astype(np.float16))
    return np.stack(maps)


def cross_validated(path: Path) -> NDArray[np.float32]:
    """Read what a cross-validation left behind."""
    with np.load(path) as content:
        return content["arr_0"].astype(np.float32)


def likeliest_class(gate: Checkpoint) -> Checkpoint:
    """Leave out the logit of "any defect": the likeliest class told defects better."""
    graph = gate.header.graphs["classifier"]
    network = graph.network.model_copy(update={"any_defect": "maximum"})
    graph = graph.model_copy(update={"network": network})
    class_count = len(gate.header.classes)
    heads = {name: gate.tensors[name][:class_count] for name in ("_fc.weight", "_fc.bias")}
    return replace(
        gate,
        header=gate.header.model_copy(update={"graphs": {"classifier": graph}}),
        tensors=dict(gate.tensors) | heads,
    )


def report(name: str, scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> None:
    """Print an AUROC with its interval."""
    low, high = bootstrap_interval(auroc, scores, truth)
    click.echo(f"{name}: AUROC {auroc(scores, truth):.3f}, 95 % interval {low:.3f} to {high:.3f}")


class Tables:
    """Dice of each strip and class for every choice of thresholds of the segmenter."""

    def __init__(self, strips: Dataset, gates: NDArray[np.floating], maps: Any) -> None:
        """Compute them all."""
        self.choices = list(product(PIXELS, MIN_AREAS))
        self.gates = gates
        self.truth = strips.labels().any(axis=1)
        self.empty = (~strips.labels()).astype(float)
        self.cut = np.stack([self._dice(strips, maps, *choice) for choice in self.choices])

    @staticmethod
    def _dice(strips: Dataset, maps: Any, pixel: float, area: int) -> NDArray[np.float64]:
        scores = DiceScores(len(strips.classes))
        for sample, probabilities in zip(strips, maps, strict=True):
            label_map = masks.clean(
                np.asarray(probabilities, dtype=np.float32),
                thresholds=(pixel,) * 4,
                min_areas=(area,) * 4,
            )
            scores.add(masks.from_label_map(label_map, 4), sample.masks)
        return scores.pairs()

    def pairs(self, gate: float, choice: int) -> NDArray[np.float64]:
        """Dice of each strip and class for one choice of all thresholds."""
        return np.where((self.gates >= gate)[:, None], self.cut[choice], self.empty)

    def best(self, chosen: NDArray[np.bool_]) -> tuple[float, int]:
        """Thresholds for these strips: of the gate, and number of the segmenter's choice.

        The gate's tells defective from clean strips best (highest balanced
        accuracy); given it, the segmenter's give the highest Kaggle Dice.
        Among equals the middle one is taken: it lies farthest from a cliff.
        """
        scores, truth = self.gates[chosen], self.truth[chosen]
        between = np.convolve(np.unique(scores), (0.5, 0.5), mode="valid")
        balanced = [(scores[truth] >= x).mean() + (scores[~truth] < x).mean() for x in between]
        gate = float(between[middle_of_best(balanced)])
        dice = [self.pairs(gate, number)[chosen].mean() for number in range(len(self.choices))]
        return gate, middle_of_best(dice)


def middle_of_best(values: Any) -> int:
    """Number of the highest value; of several, the middle one."""
    equals = np.flatnonzero(np.asarray(values) >= np.max(values) - 1e-9)
    return int(equals[len(equals) // 2])


def choose(strips: Dataset, gates: NDArray[np.floating], maps: Any) -> Thresholds:
    """Thresholds from all cross-validated strips."""
    tables = Tables(strips, gates, maps)
    gate, number = tables.best(np.ones(len(strips), dtype=bool))
    pixel, area = tables.choices[number]
    return Thresholds(gate=gate, classes=(0.5,) * 4, pixels=(pixel,) * 4, min_areas=(area,) * 4)


def measure(strips: Dataset, gates: NDArray[np.floating], maps: Any) -> dict[str, Any]:
    """Measures of the cascade; each strip is judged at thresholds chosen without it."""
    tables = Tables(strips, gates, maps)
    labels = strips.labels()
    pairs, fires = np.empty(labels.shape), np.empty(len(strips), dtype=bool)
    for index in range(len(strips)):
        gate, number = tables.best(np.arange(len(strips)) != index)
        pairs[index] = tables.pairs(gate, number)[index]
        fires[index] = gates[index] >= gate
    truth = labels.any(axis=1)
    raw = tables.cut[tables.choices.index((0.5, 0))]
    return {
        "images": len(strips),
        "images_with_defects": int(truth.sum()),
        "dice_kaggle": round(float(pairs.mean()), 4),
        "dice_kaggle_interval": interval(lambda rows: float(rows.mean()), pairs),
        "dice_kaggle_all_empty": round(float((~labels).mean()), 4),
        "dice_on_defects": round(float(pairs[labels].mean()), 4),
        "dice_on_defects_interval": interval(mean_on_defects, pairs, labels),
        "dice_on_defects_without_gate_at_half": round(float(raw[labels].mean()), 4),
        "dice_on_defects_without_gate_at_half_interval": interval(mean_on_defects, raw, labels),
        "gate_accuracy": round(float((fires == truth).mean()), 4),
        "gate_accuracy_interval": interval(lambda right: float(right.mean()), fires == truth),
        "gate_accuracy_majority": round(float(max(truth.mean(), 1 - truth.mean())), 4),
        "gate_auroc": round(auroc(gates, truth), 4),
        "gate_auroc_interval": interval(auroc, gates, truth),
    }


def mean_on_defects(pairs: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean Dice of the pairs whose class occurs."""
    return float(pairs[labels].mean()) if labels.any() else float("nan")


def interval(statistic: Any, *values: Any) -> list[float]:
    """95 % bootstrap interval over strips, rounded."""
    return [round(end, 4) for end in bootstrap_interval(statistic, *values)]


def card(metrics: dict[str, Any]) -> Card:
    """The model card."""
    return Card(
        name="strip",
        description=(
            "Gate and segmenter for the four defect classes of the Severstal competition on "
            "grey images of hot-rolled strip, 1600 x 256 pixels."
        ),
        limits=(
            "A start, not a replacement for training on one's own line: it has seen 26 strips "
            "with masks and 18 with labels. Class 2 was on one strip only. Expect missed and "
            "false defects on steel, light and cameras that it has not seen."
        ),
        data=(
            DataSource(
                name="Severstal: Steel Defect Detection (Kaggle), with masks",
                images=26,
                licence="owned by PAO Severstal; research use allowed without restrictions",
                use="trained and cross-validated",
            ),
            DataSource(
                name="Severstal: Steel Defect Detection (Kaggle), with image labels",
                images=18,
                licence="owned by PAO Severstal; research use allowed without restrictions",
                use="trained the gate",
            ),
            DataSource(
                name="NEU-Seg",
                images=3584,
                licence="none stated; research set",
                use="pretrained both networks",
            ),
            DataSource(
                name="Magnetic tile defects",
                images=1002,
                licence="none stated; its authors welcome use and ask to be cited",
                use="pretrained both networks",
            ),
            DataSource(
                name="strips drawn by steel_defect_detection.synthesis",
                images=DRAWN_COUNT,
                licence="MIT",
                use="pretrained both networks",
            ),
        ),
        metrics=metrics,
        measured=(
            f"{FOLD_COUNT}-fold cross-validation over the 26 strips with masks, by "
            "scripts/train_builtin.py validate; thresholds for each strip are chosen on the "
            "predictions for the other 25, whose networks had seen it; starting points and the "
            "kind of gate were compared on the same strips; intervals are 95 % "
            "bootstrap intervals over strips"
        ),
        created=datetime.now(UTC).date().isoformat(),
        versions={name: version(name) for name in ("torch", "segmentation-models-pytorch")},
    )


if __name__ == "__main__":
    main()
