"""How good a predictor is on images whose truth is known."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures, files, images, results
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import AnnotationError, MaskError, ResultsError
from steel_defect_detection.metrics.classification import auroc, bootstrap_interval
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.prediction import Prediction, Verdict
from steel_defect_detection.predictors.predictor import Predictor
from steel_defect_detection.sample import Sample


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Predictions beside the truth, image by image.

    Args:
        classes: Names of the classes.
        good_class: The class, if any, that means "free of defects".
        names: Names of the images.
        labels: Which classes each image really shows, bool, shape ``(images,
            classes)``.
        probabilities: Of each class for each image, shape ``(images, classes)``;
            of a segmenter that of the likeliest pixel.
        scores: Probability of any defect, shape ``(images,)``.
        defects: Whether each image was judged a defect, bool, ``(images,)``.
        outlined: Which images have masks and were outlined, bool, ``(images,)``.
        dice: Pixels of those.
    """

    classes: tuple[str, ...]
    good_class: str | None
    names: tuple[str, ...]
    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    scores: NDArray[np.float64]
    defects: NDArray[np.bool_]
    outlined: NDArray[np.bool_]
    dice: DiceScores

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Which images really show a defect, bool, shape ``(images,)``."""
        bad = [name != self.good_class for name in self.classes]
        return np.asarray(self.labels[:, bad].any(axis=1), dtype=np.bool_)

    def table(self) -> list[dict[str, Any]]:
        """One row per image, the worst ones first.

        The worst have the lowest Dice (mean over classes, a class that is
        absent and not outlined counting 1) and then the wrong verdict.
        """
        dice = np.full(len(self.names), np.nan)
        dice[self.outlined] = self.dice.pairs().mean(axis=1)
        right = self.defects == self.truth
        order = np.lexsort((right, np.nan_to_num(dice, nan=1.0)))
        return [
            {
                "image": self.names[number],
                "dice": float(dice[number]),
                "right": bool(right[number]),
                "called_defect": bool(self.defects[number]),
                "shows_defect": bool(self.truth[number]),
                "score": float(self.scores[number]),
            }
            for number in order
        ]

    def write(self, output: Path) -> list[Path]:
        """Write ``evaluation.json``, ``images.csv`` (worst first) and ``confusion.png``.

        Args:
            output: Folder for them.

        Raises:
            ResultsError: If they cannot be written there.
        """
        paths = [output / name for name in ("evaluation.json", "images.csv", "confusion.png")]
        files.write_text(paths[0], json.dumps(_without_nan(self.summary()), indent=2) + "\n")
        rows = self.table()
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["image"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        files.write_text(paths[1], text.getvalue())
        figures.write(paths[2], figures.confusion(*self.confusion()))
        return paths

    def confusion(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Count images by what they show (rows) and what they were called (columns).

        Returns:
            Counts and the names of rows and columns: the classes, where each
            image shows exactly one; else ``clean`` and ``defect``.
        """
        if len(self.classes) > 1 and (self.labels.sum(axis=1) == 1).all():
            actual, called = self.labels.argmax(axis=1), self.probabilities.argmax(axis=1)
            names = self.classes
        else:
            actual, called = self.truth.astype(int), self.defects.astype(int)
            names = ("clean", "defect")
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (actual, called), 1)
        return counts, names

    def summary(self) -> dict[str, Any]:
        """Measures by name, each beside what it would be without a model.

        ``dice_kaggle`` stands beside ``dice_all_empty``, ``accuracy`` beside
        ``accuracy_majority``; ``auroc`` has a 95 % bootstrap interval over
        images, and .5 without a model.
        """
        truth = self.truth
        low, high = bootstrap_interval(auroc, self.scores, truth)
        return {
            "images": len(self.names),
            "images_with_defects": int(truth.sum()),
            "dice_kaggle": self.dice.kaggle(),
            "dice_all_empty": self.dice.all_empty(),
            "dice_on_defects": self.dice.on_defects(),
            "accuracy": float((self.defects == truth).mean()),
            "accuracy_majority": float(max(truth.mean(), 1 - truth.mean())),
            "auroc": auroc(self.scores, truth),
            "auroc_interval": [low, high],
        }


def evaluate(predictor: Predictor, samples: Iterable[Sample]) -> Evaluation:
    """Predict images and set the predictions beside the truth.

    Args:
        predictor: What to judge with.
        samples: Images with masks or labels, of the predictor's classes.

    Returns:
        Everything that the measures are computed from.

    Raises:
        AnnotationError: If a sample has other classes, or no labels.
    """
    judged = ((sample, predictor.predict(sample.image)) for sample in samples)
    return _collect(judged, predictor.classes, predictor.good_class)


def evaluate_results(output: Path | str, dataset: Dataset) -> Evaluation:
    """Score a finished results folder, whoever made it, without a model.

    Args:
        output: Folder with ``masks/``, label maps of the images' size; which
            image each belongs to stands in ``images.csv``, or else in the
            file's name without its ending.
        dataset: The images with their masks.

    Raises:
        ResultsError: If the folder holds no masks, or none for an image.
        AnnotationError: If a sample has no labels.
        MaskError: If a mask has another size or names an unknown class.
    """
    found = results.masks_by_image(output)
    classes = dataset.classes
    judged = ((sample, _stored(sample, found, classes)) for sample in dataset)
    return _collect(judged, classes, dataset.good_class)


def _collect(
    judged: Iterable[tuple[Sample, Prediction]], classes: tuple[str, ...], good_class: str | None
) -> Evaluation:
    """Take down what the measures need, and forget the rest image by image."""
    dice = DiceScores(len(classes))
    names, labels, rows, scores, defects, outlined = [], [], [], [], [], []
    for sample, prediction in judged:
        names.append(sample.name)
        labels.append(_labels(sample, classes))
        rows.append(_per_class(prediction))
        scores.append(_score(prediction))
        defects.append(prediction.verdict == "defect")
        outlined.append(sample.masks is not None and prediction.label_map is not None)
        if sample.masks is not None and outlined[-1]:
            dice.add(prediction.masks, sample.masks)
    return Evaluation(
        classes=classes,
        good_class=good_class,
        names=tuple(names),
        labels=np.array(labels, dtype=np.bool_).reshape(len(names), len(classes)),
        probabilities=np.array(rows).reshape(len(names), len(classes)),
        scores=np.array(scores),
        defects=np.array(defects, dtype=np.bool_),
        outlined=np.array(outlined, dtype=np.bool_),
        dice=dice,
    )


def _stored(sample: Sample, found: Mapping[str, Path], classes: tuple[str, ...]) -> Prediction:
    """Read what somebody said of an image."""
    keys = (sample.name, Path(sample.name).name, Path(sample.name).stem)
    path = next((found[key] for key in keys if key in found), None)
    if path is None:
        msg = f"the results hold no mask for {sample.name}"
        raise ResultsError(msg)
    label_map = images.read(path)[..., 0]
    if label_map.shape != sample.shape:
        msg = f"{path} has the shape {label_map.shape}, its image {sample.shape}"
        raise MaskError(msg)
    verdict: Verdict = "defect" if label_map.any() else "clean"
    return Prediction(source=sample.name, classes=classes, verdict=verdict, label_map=label_map)


def _labels(sample: Sample, classes: tuple[str, ...]) -> NDArray[np.bool_]:
    if sample.classes != classes or sample.labels is None:
        msg = (
            f"{sample.name} has the classes {', '.join(sample.classes)}"
            f"{' without labels' if sample.labels is None else ''}, but the model knows "
            f"{', '.join(classes)}"
        )
        raise AnnotationError(msg)
    return sample.labels


def _score(prediction: Prediction) -> float:
    """Probability of any defect: the gate's, or that of the likeliest class."""
    if prediction.gate_probability is not None:
        return prediction.gate_probability
    if prediction.scores is None:
        return float(prediction.verdict == "defect")
    return float(prediction.scores.max())


def _per_class(prediction: Prediction) -> NDArray[np.float64]:
    if prediction.scores is None:
        return np.full(len(prediction.classes), np.nan)
    return prediction.scores.astype(np.float64)


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what JSON cannot hold."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
