"""Dice and intersection over union (IoU), in the definitions that are confused most often.

For one image and class, with predicted pixels P and true pixels T,

    dice = 2 |P and T| / (|P| + |T|)
    iou  = |P and T| / |P or T|

* ``kaggle``: mean over all pairs of image and class; a pair where both are
  empty counts 1. Predicting nothing at all already scores the share of empty
  pairs (``all_empty``), 0.859 on the Severstal training set.
* ``on_defects``: mean over the pairs where the class does occur. Predicting
  nothing scores 0.
* ``pooled``: one fraction over the pixels of all images, per class. Predicting
  nothing scores 0.
* ``miou``: mean of the pooled IoU over the defect classes, or over them and
  the background, which nearly every model gets right. Predicting nothing
  scores 0 in the first form, not in the second.

All are computed from counts of the whole data set, never from means of
batches. ``DEFINITIONS`` says each in a sentence.

Source of the first:
https://www.kaggle.com/c/severstal-steel-defect-detection/overview/evaluation
"""

from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.arrays import refuse_others
from steel_defect_detection.metrics.fractions import mean, ratio

DEFINITIONS = {
    "images": "Images with masks.",
    "dice_kaggle": "Dice, mean over all pairs of image and class; a pair that is empty in truth "
    "and prediction counts 1.",
    "dice_all_empty": "What dice_kaggle is if nothing is ever predicted.",
    "dice_on_defects": "Dice, mean over the pairs of image and class where the class occurs. "
    "Predicting nothing scores 0.",
    "dice_pooled": "One Dice over the pixels of all images. Predicting nothing scores 0.",
    "iou_on_defects": "IoU, mean over the pairs of image and class where the class occurs. "
    "Predicting nothing scores 0.",
    "iou_pooled": "One IoU over the pixels of all images. Predicting nothing scores 0.",
    "miou": "Mean of iou_pooled over the defect classes that occur or were predicted, without "
    "background. Predicting nothing scores 0.",
    "miou_with_background": "Like miou, with the pixels of no class as one more class.",
    "miou_with_background_all_empty": "What miou_with_background is if nothing is ever predicted.",
    "per_class": "The same for each class by itself.",
    "images_with_class": "Images that show the class.",
}
"""What each name of ``DiceScores.summary`` means."""


class DiceScores:
    """Counts of pixels per image and class, from which each measure is read.

    Args:
        class_count: How many classes there are, not counting the background.

    Raises:
        ConfigError: If there is no class.
    """

    def __init__(self, class_count: int) -> None:
        """Start without images."""
        if class_count < 1:
            msg = f"there must be at least one class, got {class_count}"
            raise ConfigError(msg)
        self._class_count = class_count
        self._counts: list[NDArray[np.int64]] = []

    def add(self, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        """Count the pixels of one image.

        Args:
            predicted: Predicted masks, bool, shape ``(classes, height, width)``.
            truth: True masks, same shape.

        Raises:
            MaskError: If the masks are not bool, or their shapes differ or do
                not fit the classes.
        """
        refuse_others(MaskError, predicted=predicted, truth=truth)
        if (
            predicted.shape != truth.shape
            or truth.ndim != 3
            or len(truth) != self._class_count
            or not truth.size
        ):
            msg = (
                f"expected two stacks of {self._class_count} masks, "
                f"got shapes {predicted.shape} and {truth.shape}"
            )
            raise MaskError(msg)
        if predicted.dtype != np.bool_ or truth.dtype != np.bool_:
            msg = (
                f"expected bool masks, got {predicted.dtype} and {truth.dtype}. "
                "Compare probabilities with a threshold first"
            )
            raise MaskError(msg)
        predicted, truth = (_with_background(stack) for stack in (predicted, truth))
        stacks = (predicted & truth, predicted, truth, np.ones_like(truth))
        self._counts.append(np.array([stack.sum(axis=(1, 2)) for stack in stacks]))

    def merge(self, other: "DiceScores") -> Self:
        """Put the images of two processes together; an image in both counts twice.

        Args:
            other: Scores of the same classes.

        Returns:
            New scores of all images; these two stay as they are.

        Raises:
            ConfigError: If the numbers of classes differ.
        """
        if other._class_count != self._class_count:
            msg = f"cannot merge scores of {self._class_count} and {other._class_count} classes"
            raise ConfigError(msg)
        merged = type(self)(self._class_count)
        merged._counts = self._counts + other._counts
        return merged

    def __len__(self) -> int:
        """Count the images."""
        return len(self._counts)

    def pairs(self) -> NDArray[np.float64]:
        """Dice of each pair, 1 where both are empty, shape ``(images, classes)``."""
        overlap, predicted, true, _ = self._table()[..., :-1]
        return ratio(2 * overlap, predicted + true, empty=1)

    def pair_ious(self) -> NDArray[np.float64]:
        """IoU of each pair, 1 where both are empty, shape ``(images, classes)``."""
        overlap, predicted, true, _ = self._table()[..., :-1]
        return ratio(overlap, predicted + true - overlap, empty=1)

    def occurs(self) -> NDArray[np.bool_]:
        """Whether each image shows each class, shape ``(images, classes)``."""
        return self._table()[2, :, :-1] > 0

    def kaggle(self) -> float:
        """Mean over all pairs; NaN without images."""
        return mean(self.pairs())

    def all_empty(self) -> float:
        """What ``kaggle`` would be if nothing were ever predicted."""
        return mean(~self.occurs())

    def on_defects(self) -> float:
        """Mean over the pairs where the class occurs; NaN if there are none."""
        return mean(self.pairs()[self.occurs()])

    def iou_on_defects(self) -> float:
        """Mean IoU over the pairs where the class occurs; NaN if there are none."""
        return mean(self.pair_ious()[self.occurs()])

    def pooled(self) -> NDArray[np.float64]:
        """Dice per class over all pixels, NaN for absent classes, shape ``(classes,)``."""
        overlap, predicted, true, _ = self._table()[..., :-1].sum(axis=1)
        return ratio(2 * overlap, predicted + true)

    def pooled_iou(self) -> NDArray[np.float64]:
        """IoU per class over all pixels, NaN for absent classes, shape ``(classes,)``."""
        return _pooled_iou(self._table())[:-1]

    def miou(self, *, background: bool = False) -> float:
        """Mean of the pooled IoU over classes that occur or were predicted.

        Args:
            background: Count the pixels of no class as one more class.

        Returns:
            0 to 1; NaN if no class occurs or was predicted.
        """
        return mean(_pooled_iou(self._table()) if background else self.pooled_iou())

    def miou_with_background_all_empty(self) -> float:
        """What ``miou(background=True)`` would be if nothing were ever predicted."""
        _, _, true, pixels = self._table().sum(axis=1)
        scores = np.where(true > 0, 0.0, np.nan)
        scores[-1] = ratio(true[-1], pixels[-1])
        return mean(scores)

    def summary(self, classes: Sequence[str]) -> dict[str, Any]:
        """Measures by name, each beside what predicting nothing would score.

        Args:
            classes: Names of the classes.

        Returns:
            Numbers under the names of ``DEFINITIONS``; what is not defined on
            these images is NaN. ``per_class`` holds the same for each class.

        Raises:
            ConfigError: If there is not one name per class.
        """
        if len(set(classes)) != self._class_count or len(classes) != self._class_count:
            msg = f"expected {self._class_count} different class names, got {', '.join(classes)}"
            raise ConfigError(msg)
        return {
            "images": len(self),
            "dice_kaggle": self.kaggle(),
            "dice_all_empty": self.all_empty(),
            "dice_on_defects": self.on_defects(),
            "iou_on_defects": self.iou_on_defects(),
            "miou": self.miou(),
            "miou_with_background": self.miou(background=True),
            "miou_with_background_all_empty": self.miou_with_background_all_empty(),
            "per_class": {name: self._of_class(number) for number, name in enumerate(classes)},
        }

    def intervals(self, groups: Sequence[Hashable]) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of the measures of all classes together.

        Args:
            groups: The group of each image, which are drawn whole; all
                different if each image stands for itself.

        Returns:
            Lower and upper end by the name of the measure, NaN where it is
            not defined.
        """
        dice, iou, occurs, table = self.pairs(), self.pair_ious(), self.occurs(), self._table()

        def measures(rows: NDArray[np.intp]) -> dict[str, float]:
            shown = occurs[rows]
            pooled = _pooled_iou(table[:, rows])
            return {
                "dice_kaggle": mean(dice[rows]),
                "dice_on_defects": mean(dice[rows][shown]),
                "iou_on_defects": mean(iou[rows][shown]),
                "miou": mean(pooled[:-1]),
                "miou_with_background": mean(pooled),
            }

        return bootstrap.intervals(measures, groups)

    def _of_class(self, number: int) -> dict[str, float]:
        occurs, pairs = self.occurs()[:, number], self.pairs()[:, number]
        return {
            "images_with_class": int(occurs.sum()),
            "dice_kaggle": mean(pairs),
            "dice_all_empty": mean(~occurs),
            "dice_on_defects": mean(pairs[occurs]),
            "dice_pooled": float(self.pooled()[number]),
            "iou_on_defects": mean(self.pair_ious()[occurs, number]),
            "iou_pooled": float(self.pooled_iou()[number]),
        }

    def _table(self) -> NDArray[np.int64]:
        """Overlap, predicted, true and all pixels, shape ``(4, images, classes + 1)``.

        The last column is the background: the pixels of no class.
        """
        if not self._counts:
            return np.zeros((4, 0, self._class_count + 1), dtype=np.int64)
        return np.stack(self._counts, axis=1)


def _pooled_iou(table: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pooled IoU of the classes and, last, of the background."""
    overlap, predicted, true, _ = table.sum(axis=1)
    return ratio(overlap, predicted + true - overlap)


def _with_background(stack: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.concatenate([stack, ~stack.any(axis=0, keepdims=True)])
