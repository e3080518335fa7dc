"""Dice over a data set, in the definitions that are confused most often.

For one image and class, with predicted pixels P and true pixels T,

    dice = 2 |P and T| / (|P| + |T|)

* ``kaggle``: mean over all pairs of image and class; a pair where both are
  empty counts 1. Predicting nothing at all already scores the share of empty
  pairs (``all_empty``), 0.859 on the Severstal training set.
* ``on_defects``: mean over the pairs where the class does occur.
* ``pooled``: one fraction over the pixels of all images, per class.

Source of the first:
https://www.kaggle.com/c/severstal-steel-defect-detection/overview/evaluation
"""

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import MaskError


class DiceScores:
    """Counts of pixels per image and class, from which each Dice is read.

    Args:
        class_count: How many classes there are.
    """

    def __init__(self, class_count: int) -> None:
        """Start without images."""
        self._class_count = class_count
        self._counts: list[NDArray[np.int64]] = []

    def add(self, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        """Count the pixels of one image.

        Args:
            predicted: Predicted masks, bool, shape ``(classes, height, width)``.
            truth: True masks, same shape.

        Raises:
            MaskError: If the shapes differ or do not fit the classes.
        """
        if predicted.shape != truth.shape or len(truth) != self._class_count:
            msg = (
                f"expected two stacks of {self._class_count} masks, "
                f"got shapes {predicted.shape} and {truth.shape}"
            )
            raise MaskError(msg)
        stacks = (predicted & truth, predicted, truth)
        self._counts.append(np.array([stack.sum(axis=(1, 2)) for stack in stacks]))

    def __len__(self) -> int:
        """Count the images."""
        return len(self._counts)

    def pairs(self) -> NDArray[np.float64]:
        """Dice of each pair, 1 where both are empty, shape ``(images, classes)``."""
        overlap, predicted, true = self._table()
        total = predicted + true
        return np.where(total == 0, 1.0, 2 * overlap / np.maximum(total, 1))

    def kaggle(self) -> float:
        """Mean over all pairs; NaN without images."""
        return _mean(self.pairs())

    def all_empty(self) -> float:
        """What ``kaggle`` would be if nothing were ever predicted."""
        return _mean(self._table()[2] == 0)

    def on_defects(self) -> float:
        """Mean over the pairs where the class occurs; NaN if there are none."""
        return _mean(self.pairs()[self._table()[2] > 0])

    def pooled(self) -> NDArray[np.float64]:
        """Dice per class over all pixels, NaN for absent classes, shape ``(classes,)``."""
        overlap, predicted, true = self._table().sum(axis=1)
        total = predicted + true
        return np.where(total == 0, np.nan, 2 * overlap / np.maximum(total, 1))

    def _table(self) -> NDArray[np.int64]:
        """Overlap, predicted and true pixels, shape ``(3, images, classes)``."""
        if not self._counts:
            return np.zeros((3, 0, self._class_count), dtype=np.int64)
        return np.stack(self._counts, axis=1)


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else float("nan")
