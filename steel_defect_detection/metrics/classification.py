"""How well images are sorted: into exclusive classes, or by one question per class.

All measures are computed from the answers for the whole data set, never from
means of batches, and stand beside those of the ``majority`` answer: the
commonest true answer, given for every image.

For one class, with right positives R, predicted positives P and true ones T,

    precision = R / P,    recall = R / T,    f1 = 2 R / (P + T)

* ``macro``: mean over the classes, each counting alike.
* ``micro``: one fraction over all classes, common ones counting more. With
  exclusive classes micro precision, recall and F1 all equal accuracy, so they
  say nothing about rare classes; macro does.

A class that no image shows has no precision, recall or F1 (NaN) and is left
out of the macro means. A class that is never predicted has precision 0.
``DEFINITIONS`` says each measure in a sentence.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import AnnotationError, ConfigError
from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.arrays import refuse_others
from steel_defect_detection.metrics.fractions import mean, ratio
from steel_defect_detection.metrics.ranking import auroc, average_precision, refuse_nan

DEFINITIONS = {
    "images": "Images with labels.",
    "accuracy": "Share of images whose most probable class is the right one.",
    "accuracy_majority": "What accuracy is if the commonest class is always given.",
    "accuracy_exact_match": "Share of images for which every class is answered rightly.",
    "accuracy_exact_match_majority": "What accuracy_exact_match is if the commonest combination "
    "of classes is always given.",
    "balanced_accuracy": "Mean over classes of the share of images answered rightly: of the images "
    "of the class if classes are exclusive, else of those with and those without it, half each. "
    "Classes that no image shows are left out.",
    "balanced_accuracy_majority": "What balanced_accuracy is for the majority's answer.",
    "precision_macro": "Mean of precision over the classes that occur, each counting alike.",
    "precision_macro_majority": "What precision_macro is for the majority's answer.",
    "recall_macro": "Mean of recall over the classes that occur, each counting alike; with "
    "exclusive classes it equals balanced_accuracy.",
    "recall_macro_majority": "What recall_macro is for the majority's answer.",
    "precision_micro": "Share of all given classes that are right; with exclusive classes it "
    "equals accuracy.",
    "precision_micro_majority": "What precision_micro is for the majority's answer.",
    "recall_micro": "Share of all true classes that were given; with exclusive classes it equals "
    "accuracy.",
    "recall_micro_majority": "What recall_micro is for the majority's answer.",
    "f1_macro": "Mean of F1 over the classes that occur, each counting alike.",
    "f1_macro_majority": "What f1_macro is for the majority's answer.",
    "f1_micro": "One F1 over all answers; with exclusive classes it equals accuracy.",
    "f1_micro_majority": "What f1_micro is for the majority's answer.",
    "auroc_macro": "Mean over classes of auroc; without a model 0.5.",
    "average_precision_macro": "Mean over classes of average_precision.",
    "average_precision_macro_chance": "Mean share of images that show each class: what "
    "average_precision_macro is without a model.",
    "per_class": "The same for each class by itself.",
    "support": "Images that show the class.",
    "share": "Share of images that show the class: its average_precision without a model.",
    "precision": "Share of the images given this class that show it.",
    "recall": "Share of the images that show the class that were given it.",
    "f1": "2 right / (given + true).",
    "auroc": "Probability that an image with the class scores above one without; 0.5 by chance.",
    "average_precision": "Mean precision over the recalls, as thresholds fall.",
    "confusion": "Counts of images: rows are the actual, columns the predicted class; one table of "
    "absent and present for each class if classes are not exclusive.",
    "confusion_shares": "The same, each row divided by its sum.",
}
"""What each name of ``ClassificationScores.summary`` means."""


class ClassificationScores:
    """Scores and labels of a whole data set, from which each measure is read.

    Args:
        classes: Names of the classes.
        thresholds: None if exactly one class is right; the answer is then the
            class of the highest score. Otherwise each class is a question of
            its own, answered yes from this score on: one number for all
            classes, or one each.

    Raises:
        ConfigError: If there is no class, a name occurs twice, or the
            thresholds are not one number per class.
    """

    def __init__(
        self, classes: Sequence[str], *, thresholds: float | Sequence[float] | None = None
    ) -> None:
        """Start without images."""
        if not classes or len(set(classes)) != len(classes):
            msg = f"expected at least one class and no name twice, got {list(classes)}"
            raise ConfigError(msg)
        self.classes = tuple(classes)
        self.thresholds: NDArray[np.float64] | None = None
        if thresholds is not None:
            values = np.asarray(thresholds, dtype=np.float64)
            if values.shape not in ((), (len(classes),)) or not np.isfinite(values).all():
                msg = f"expected one threshold, or one for each of {len(classes)} classes, got "
                raise ConfigError(msg + str(thresholds))
            self.thresholds = np.broadcast_to(values, len(classes))
        self._scores: list[NDArray[np.float64]] = []
        self._truth: list[NDArray[np.bool_]] = []

    @property
    def exclusive(self) -> bool:
        """Whether exactly one class is right."""
        return self.thresholds is None

    def add(self, scores: NDArray[np.floating], labels: NDArray[np.generic]) -> None:
        """Take note of a batch of any size.

        Args:
            scores: Probabilities, or other scores, shape ``(images, classes)``.
            labels: For exclusive classes the number of the right one, int,
                shape ``(images,)``; otherwise whether each image shows each
                class, bool, shape ``(images, classes)``.

        Raises:
            InferenceError: If a score is no number.
            AnnotationError: If shapes or labels do not fit the classes.
        """
        refuse_others(AnnotationError, scores=scores, labels=labels)
        if scores.ndim != 2 or scores.shape[1] != len(self.classes):
            msg = f"expected scores (images, {len(self.classes)}), got shape {scores.shape}"
            raise AnnotationError(msg)
        refuse_nan(scores)
        truth = self._read_labels(labels, len(scores))
        self._scores.append(scores.astype(np.float64))
        self._truth.append(truth)

    def merge(self, other: "ClassificationScores") -> Self:
        """Put the images of two processes together; an image in both counts twice.

        Args:
            other: Scores of the same classes and thresholds.

        Returns:
            New scores of all images; these two stay as they are.

        Raises:
            ConfigError: If classes or thresholds differ.
        """
        if other.classes != self.classes or not np.array_equal(
            np.asarray(other.thresholds, dtype=float),
            np.asarray(self.thresholds, dtype=float),
            equal_nan=True,
        ):
            msg = (
                f"cannot merge scores of {self.classes} with thresholds {self.thresholds} and of "
                f"{other.classes} with thresholds {other.thresholds}"
            )
            raise ConfigError(msg)
        merged = type(self)(
            self.classes, thresholds=None if self.thresholds is None else list(self.thresholds)
        )
        merged._scores, merged._truth = self._scores + other._scores, self._truth + other._truth
        return merged

    def __len__(self) -> int:
        """Count the images."""
        return sum(map(len, self._scores))

    def scores(self) -> NDArray[np.float64]:
        """All scores, shape ``(images, classes)``."""
        return np.concatenate([np.zeros((0, len(self.classes))), *self._scores])

    def truth(self) -> NDArray[np.bool_]:
        """Whether each image shows each class, shape ``(images, classes)``."""
        return np.concatenate([np.zeros((0, len(self.classes)), dtype=np.bool_), *self._truth])

    def answers(self) -> NDArray[np.bool_]:
        """Whether each image was given each class, shape ``(images, classes)``."""
        scores = self.scores()
        if self.thresholds is not None:
            return scores >= self.thresholds
        return _one_hot(scores.argmax(axis=1), len(self.classes))

    def majority(self) -> NDArray[np.bool_]:
        """Commonest true answer, given for every image, shape ``(images, classes)``."""
        truth = self.truth()
        if not len(truth):
            return truth
        kinds, counts = np.unique(truth, axis=0, return_counts=True)
        return np.broadcast_to(kinds[counts.argmax()], truth.shape)

    def confusion(self) -> NDArray[np.int64]:
        """Count images: rows are actual, columns predicted.

        Returns:
            Shape ``(classes, classes)`` if classes are exclusive, otherwise
            ``(classes, 2, 2)``, absent before present.
        """
        truth, answers = self.truth(), self.answers()
        if self.exclusive:
            return truth.T.astype(np.int64) @ answers.astype(np.int64)
        sides = [np.stack([~given, given]).astype(np.int64) for given in (truth, answers)]
        return np.asarray(np.einsum("anc,pnc->cap", *sides), dtype=np.int64)

    def confusion_shares(self) -> NDArray[np.float64]:
        """``confusion`` with each row divided by its sum, NaN where no image is."""
        counts = self.confusion()
        return ratio(counts, np.broadcast_to(counts.sum(axis=-1, keepdims=True), counts.shape))

    def per_class(self) -> dict[str, NDArray[np.float64]]:
        """Precision, recall, F1, AUROC, average precision, support and share by class."""
        truth, scores = self.truth(), self.scores()
        columns = list(zip(scores.T, truth.T, strict=True))
        return {
            "support": truth.sum(axis=0).astype(np.float64),
            "share": ratio(truth.sum(axis=0), np.full(len(self.classes), len(truth))),
            **_of_answers(truth, self.answers()),
            "auroc": np.array([auroc(*column) for column in columns]),
            "average_precision": np.array([average_precision(*column) for column in columns]),
        }

    def summary(self) -> dict[str, Any]:
        """Measures by the names of ``DEFINITIONS``, each beside that of the majority's answer.

        What is not defined on these images is NaN.
        """
        per_class = self.per_class()
        truth = self.truth()
        means = self._means(truth, self.answers())
        majority = self._means(truth, self.majority())
        return {
            "images": len(self),
            **{
                key: value
                for name in means
                for key, value in ((name, means[name]), (f"{name}_majority", majority[name]))
            },
            "auroc_macro": mean(per_class["auroc"]),
            "average_precision_macro": mean(per_class["average_precision"]),
            "average_precision_macro_chance": mean(
                np.where(per_class["support"] > 0, per_class["share"], np.nan)
            ),
            "per_class": {
                name: {key: float(values[number]) for key, values in per_class.items()}
                for number, name in enumerate(self.classes)
            },
            "confusion": self.confusion().tolist(),
            "confusion_shares": self.confusion_shares().tolist(),
        }

    def intervals(self, groups: Sequence[Hashable]) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of the measures of all classes together.

        Areas under curves have none here.

        Args:
            groups: The group of each image, which are drawn whole; all
                different if each image stands for itself.

        Returns:
            Lower and upper end by the name of the measure, NaN where it is
            not defined.
        """
        truth, answers = self.truth(), self.answers()
        return bootstrap.intervals(lambda rows: self._means(truth[rows], answers[rows]), groups)

    def _means(self, truth: NDArray[np.bool_], answers: NDArray[np.bool_]) -> dict[str, float]:
        """Judge answers as a whole."""
        right, given, true = (truth & answers).sum(), answers.sum(), truth.sum()
        each = _of_answers(truth, answers)
        recalls = each["recall"]
        if not self.exclusive:
            # A class that every image shows is answered rightly by its recall alone.
            absent = _of_answers(~truth, ~answers)["recall"]
            recalls = np.where(np.isnan(absent), recalls, (recalls + absent) / 2)
        return {
            "accuracy" if self.exclusive else "accuracy_exact_match": mean(
                (truth == answers).all(axis=1)
            ),
            "balanced_accuracy": mean(recalls),
            **{f"{name}_macro": mean(values) for name, values in each.items()},
            # Classes may occur and none be given: that answer is wrong, not unknown.
            "precision_micro": float(ratio(right, given, empty=0.0 if true else np.nan)),
            "recall_micro": float(ratio(right, true)),
            "f1_micro": float(ratio(2 * right, given + true)),
        }

    def _read_labels(self, labels: NDArray[np.generic], images: int) -> NDArray[np.bool_]:
        """Check labels and bring them into the shape ``(images, classes)``."""
        count = len(self.classes)
        expected, kind = ((images,), "iu") if self.exclusive else ((images, count), "b")
        if labels.shape != expected or labels.dtype.kind not in kind:
            msg = (
                f"expected {'whole-number' if self.exclusive else 'bool'} labels of shape "
                f"{expected}, got {labels.dtype} of shape {labels.shape}"
            )
            raise AnnotationError(msg)
        if not self.exclusive:
            return labels.astype(np.bool_)
        numbers = labels.astype(np.int64)
        wrong = numbers[(numbers < 0) | (numbers >= count)]
        if wrong.size:
            msg = f"class number {wrong[0]}, but there are the classes 0 to {count - 1}"
            raise AnnotationError(msg)
        return _one_hot(numbers, count)


def _one_hot(numbers: NDArray[np.integer], count: int) -> NDArray[np.bool_]:
    return np.asarray(numbers[:, None] == np.arange(count))


def _of_answers(
    truth: NDArray[np.bool_], answers: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and F1 of each class, NaN for a class that no image shows."""
    right, given, true = (stack.sum(axis=0) for stack in (truth & answers, answers, truth))
    unknown = np.where(true == 0, np.nan, 0.0)
    return {
        "precision": ratio(right, given, empty=0) + unknown,
        "recall": ratio(right, true),
        "f1": ratio(2 * right, given + true) + unknown,
    }
