"""Evaluation: predictions beside the truth, and every measure of how far they agree.

The measures come in sections, each only where it has a meaning:

* ``any_defect``: is the image defective at all? Left out for exclusive classes
  none of which means "good".
* ``classes``: which classes does the image show? For models that outline
  nothing.
* ``outlines``: where is each class? For images with masks.
* ``outlines_with_tolerance``: where is any defect, give or take some pixels?

What is not defined on these images is left out too, so nothing is ever NaN.
"""

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import figures, files
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.metrics import bootstrap, classification, dice, tolerant
from steel_defect_detection.metrics.classification import ClassificationScores
from steel_defect_detection.metrics.dice import DiceScores
from steel_defect_detection.metrics.fractions import known
from steel_defect_detection.metrics.ranking import auroc
from steel_defect_detection.metrics.tolerant import TolerantScores
from steel_defect_detection.sample import are_defects

DEFINITIONS: Mapping[str, Mapping[str, str]] = {
    "any_defect": {
        "images": "Images judged.",
        "images_with_defects": "Those that show a defect.",
        "accuracy": "Share of images rightly called clean or defective.",
        "accuracy_majority": "What accuracy is if the commoner of the two is always said.",
        "auroc": "Probability that a defective image scores above a clean one; 0.5 by chance.",
    },
    "classes": classification.DEFINITIONS,
    "outlines": dice.DEFINITIONS,
    "outlines_with_tolerance": {
        **tolerant.DEFINITIONS,
        "images": "Images with masks. The pixels of all classes count as one class, any defect, "
        "as cracks are judged.",
    },
}
"""What each measure of ``Evaluation.summary`` means, by section and name.

``NAME_interval`` is the 95 % bootstrap interval of NAME.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Predictions beside the truth, image by image.

    Args:
        classes: Names of the classes.
        good_class: The class, if any, that means "free of defects".
        exclusive: Whether an image shows exactly one class.
        thresholds: Probability of each class from which a model that outlines
            nothing names it; None if the predictions have outlines.
        names: Names of the images.
        labels: Which classes each image really shows, bool, shape ``(images,
            classes)``.
        answers: Which classes were found on it, bool, same shape.
        probabilities: Of each class for each image, shape ``(images, classes)``;
            of a segmenter that of the likeliest pixel.
        scores: Probability of any defect, shape ``(images,)``.
        defects: Whether each image was judged a defect, bool, ``(images,)``.
        outlined: Which images have masks and were outlined, bool, ``(images,)``.
        dice: Pixels of those.
        tolerant: Pixels of those, all classes as one.
        unreadable: What is wrong with each image that could not be read, by
            its name.
        groups: The group of each image that shows the same thing as others,
            None for one that stands for itself; empty if none is known.
    """

    classes: tuple[str, ...]
    good_class: str | None
    exclusive: bool
    thresholds: tuple[float, ...] | None
    names: tuple[str, ...]
    labels: NDArray[np.bool_]
    answers: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    scores: NDArray[np.float64]
    defects: NDArray[np.bool_]
    outlined: NDArray[np.bool_]
    dice: DiceScores
    tolerant: TolerantScores
    unreadable: Mapping[str, str]
    groups: tuple[str | None, ...] = ()

    @property
    def knows_clean(self) -> bool:
        """Whether an image can be free of defects at all."""
        return not self.exclusive or self.good_class is not None

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Which images really show a defect, bool, shape ``(images,)``."""
        bad = are_defects(self.classes, self.good_class)
        return np.asarray(self.labels[:, bad].any(axis=1), dtype=np.bool_)

    def summary(self) -> dict[str, Any]:
        """Measures by section and name, each beside what it would be without a model.

        The main ones have a 95 % bootstrap interval, ``NAME_interval``, over
        the groups of images where some are known, else over the images.

        Returns:
            The sections that apply; ``DEFINITIONS`` says what each name means.

        Raises:
            AnnotationError: If classes are exclusive, and an image shows none
                or several.
        """
        return deepcopy(self._summary)

    def report(self) -> dict[str, Any]:
        """Everything as JSON can hold it: measures, definitions, images, unreadable ones."""
        measures = self.summary()
        return {
            "measures": measures,
            "definitions": {
                section: self._definitions(section, _names(values))
                for section, values in measures.items()
            },
            "images": self.table(),
            "unreadable": [
                {"image": name, "error": message} for name, message in self.unreadable.items()
            ],
        }

    def table(self) -> list[dict[str, Any]]:
        """One row per image, the worst ones first.

        Outlined images have ``dice``, the mean over classes, a class that is
        absent and not outlined counting 1; the lowest come first. Of the
        others the wrong ones come first, the surest of them at the top, and
        the least sure of the right ones follow. ``right`` says whether exactly
        the classes were found that the image shows. ``confidence`` is the
        probability of the answer; of independent classes, that all answers
        are right. ``score`` is the probability of any defect.
        """
        scores = np.full(len(self.names), np.nan)
        scores[self.outlined] = self.dice.pairs().mean(axis=1)
        right = (self.answers == self.labels).all(axis=1)
        sure = self._confidence()
        order = np.lexsort((np.where(right, sure, -sure), right, np.nan_to_num(scores, nan=1.0)))
        rows = (
            {
                "image": self.names[number],
                "right": bool(right[number]),
                "predicted": self._words(self.answers[number]),
                "actual": self._words(self.labels[number]),
                "dice": float(scores[number]),
                "confidence": math.nan if self.thresholds is None else float(sure[number]),
                "score": float(self.scores[number]) if self.knows_clean else math.nan,
            }
            for number in order
        )
        return [known(row) for row in rows]

    def write(self, output: Path) -> list[Path]:
        """Write ``evaluation.json``, ``images.csv`` (worst first) and ``confusion.png``.

        Args:
            output: Folder for them.

        Raises:
            ResultsError: If they cannot be written there.
        """
        paths = [output / name for name in ("evaluation.json", "images.csv", "confusion.png")]
        files.write_text(paths[0], json.dumps(self.report(), indent=2, allow_nan=False) + "\n")
        rows = self.table()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = ([row.get(name, "") for name in columns] for row in rows)
        files.write_table(paths[1], columns, cells)
        figures.write(paths[2], figures.confusion(*self.confusion()))
        return paths

    def confusion(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Count images by what they show (rows) and what they were called (columns).

        Returns:
            Counts and the names of rows and columns: the classes, where each
            image shows exactly one; else ``clean`` and ``defect``.
        """
        one_each = len(self.classes) > 1 and bool((self.labels.sum(axis=1) == 1).all())
        if self.exclusive or (one_each and np.isfinite(self.probabilities).all()):
            actual, called = self.labels.argmax(axis=1), self.probabilities.argmax(axis=1)
            names = self.classes
        else:
            actual, called = self.truth.astype(int), self.defects.astype(int)
            names = ("clean", "defect")
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (actual, called), 1)
        return counts, names

    @cached_property
    def _summary(self) -> dict[str, Any]:
        """What ``summary`` gives; drawing images again and again takes its time."""
        found: dict[str, Any] = {}
        if self.knows_clean:
            found["any_defect"] = self._any_defect()
        if self.thresholds is not None:
            scores = self._classification()
            found["classes"] = _with(scores.intervals(self._units()), scores.summary())
        if len(self.dice):
            units = list(compress(self._units(), self.outlined))
            outlines = self.dice.summary(self.classes)
            found["outlines"] = _with(self.dice.intervals(units), outlines)
            tolerant = self.tolerant.summary()
            found["outlines_with_tolerance"] = _with(self.tolerant.intervals(units), tolerant)
        return known(found)

    def _any_defect(self) -> dict[str, Any]:
        truth = self.truth

        def measures(rows: NDArray[np.intp]) -> dict[str, float]:
            return {
                "accuracy": float((self.defects[rows] == truth[rows]).mean()),
                "auroc": auroc(self.scores[rows], truth[rows]),
            }

        found = measures(np.arange(len(truth)))
        counts = {"images": len(self.names), "images_with_defects": int(truth.sum())}
        baseline = {"accuracy_majority": float(max(truth.mean(), 1 - truth.mean()))}
        intervals = bootstrap.intervals(measures, self._units())
        return _with(intervals, {**counts, **found, **baseline})

    def _units(self) -> list[tuple[str, str]]:
        """What is drawn as a whole for intervals: groups, or images by themselves."""
        groups = self.groups or (None,) * len(self.names)
        return [
            ("image", name) if group is None else ("group", group)
            for name, group in zip(self.names, groups, strict=True)
        ]

    def _definitions(self, section: str, names: set[str]) -> dict[str, str]:
        """What the names of a section mean."""
        unit = "groups of images" if any(self.groups) else "images"
        means = {
            f"{name}_interval": f"95 % bootstrap interval of {name}, over {unit}."
            for name in DEFINITIONS[section]
        }
        return {
            name: text for name, text in {**DEFINITIONS[section], **means}.items() if name in names
        }

    def _classification(self) -> ClassificationScores:
        if not self.exclusive:
            scores = ClassificationScores(self.classes, thresholds=self.thresholds)
            scores.add(self.probabilities, self.labels)
            return scores
        for name, row in zip(self.names, self.labels, strict=True):
            if row.sum() != 1:
                msg = f"{name} shows {row.sum()} classes, but the model gives each image one"
                raise AnnotationError(msg)
        scores = ClassificationScores(self.classes)
        scores.add(self.probabilities, self.labels.argmax(axis=1))
        return scores

    def _confidence(self) -> NDArray[np.float64]:
        """Probability of each image's answer, 0 where it cannot be told."""
        if self.thresholds is None:
            return np.zeros(len(self.names))
        if self.exclusive:
            return np.asarray(self.probabilities.max(axis=1))
        sides = np.where(self.answers, self.probabilities, 1 - self.probabilities)
        return np.asarray(sides.prod(axis=1))

    def _words(self, shown: NDArray[np.bool_]) -> str:
        named = [name for name, here in zip(self.classes, shown, strict=True) if here]
        return " and ".join(named) or "clean"


def _with(
    intervals: Mapping[str, tuple[float, float]], measures: Mapping[str, Any]
) -> dict[str, Any]:
    """Put each interval that is known behind its measure."""
    found: dict[str, Any] = {}
    for name, value in measures.items():
        found[name] = value
        ends = intervals.get(name, (math.nan,))
        if not np.isnan(ends).any():
            found[f"{name}_interval"] = list(ends)
    return found


def _names(values: Mapping[str, Any]) -> set[str]:
    """Names of measures, also of those class by class."""
    below = (_names(value) for value in values.values() if isinstance(value, dict))
    return set(values).union(*below)
