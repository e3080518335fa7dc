"""How good a predictor is on images whose truth is known."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.metrics.classification import auroc, bootstrap_interval
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.prediction import Prediction
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
        dice: Pixels of the images that have masks.
    """

    classes: tuple[str, ...]
    good_class: str | None
    names: tuple[str, ...]
    labels: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    scores: NDArray[np.float64]
    defects: NDArray[np.bool_]
    dice: DiceScores

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Which images really show a defect, bool, shape ``(images,)``."""
        bad = [name != self.good_class for name in self.classes]
        return np.asarray(self.labels[:, bad].any(axis=1), dtype=np.bool_)

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
    rows = []
    dice = DiceScores(len(predictor.classes))
    for sample in samples:
        prediction = predictor.predict(sample.image)
        rows.append((sample.name, _labels(sample, predictor), _score(prediction), prediction))
        if sample.masks is not None and prediction.label_map is not None:
            dice.add(prediction.masks, sample.masks)
    return Evaluation(
        classes=predictor.classes,
        good_class=predictor.good_class,
        names=tuple(row[0] for row in rows),
        labels=np.array([row[1] for row in rows]).reshape(len(rows), len(predictor.classes)),
        probabilities=np.array([_per_class(row[3]) for row in rows]).reshape(
            len(rows), len(predictor.classes)
        ),
        scores=np.array([row[2] for row in rows]),
        defects=np.array([row[3].verdict == "defect" for row in rows]),
        dice=dice,
    )


def _labels(sample: Sample, predictor: Predictor) -> NDArray[np.bool_]:
    if sample.classes != predictor.classes or sample.labels is None:
        msg = (
            f"{sample.name} has the classes {', '.join(sample.classes)}"
            f"{' without labels' if sample.labels is None else ''}, but the model knows "
            f"{', '.join(predictor.classes)}"
        )
        raise AnnotationError(msg)
    return sample.labels


def _score(prediction: Prediction) -> float:
    """Probability of any defect: the gate's, or that of the likeliest class."""
    if prediction.gate_probability is not None:
        return prediction.gate_probability
    return 0.0 if prediction.scores is None else float(prediction.scores.max())


def _per_class(prediction: Prediction) -> NDArray[np.float64]:
    if prediction.scores is None:
        return np.full(len(prediction.classes), np.nan)
    return prediction.scores.astype(np.float64)
