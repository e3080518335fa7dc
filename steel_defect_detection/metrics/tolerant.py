"""Precision, recall and F1 with a tolerance, as cracks are judged.

A crack is a few pixels wide, and two people draw it a pixel or two apart. So a
predicted pixel counts as right if a true pixel lies within the tolerance, and
a true pixel counts as found if a predicted one does:

    precision = predicted pixels near a true one / predicted pixels
    recall    = true pixels near a predicted one / true pixels
    f1        = 2 precision recall / (precision + recall)

"Near" is a Euclidean distance between pixel centres of at most the tolerance.
With tolerance 0, F1 is Dice. The default, 2 pixels, is customary for cracks,
but no standard fixes it, and a tolerance always raises the score: figures are
comparable only at the same one, so ``summary`` names it.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.metrics import bootstrap
from steel_defect_detection.metrics.arrays import refuse_others
from steel_defect_detection.metrics.fractions import mean, ratio

DEFINITIONS = {
    "images": "Images with masks.",
    "tolerance_pixels": "Distance up to which a pixel counts as right.",
    "precision_pooled": "Share of the predicted pixels of all images that lie near a true one.",
    "recall_pooled": "Share of the true pixels of all images that lie near a predicted one.",
    "f1_pooled": "F1 of precision_pooled and recall_pooled. Predicting nothing scores 0.",
    "f1_pooled_all_defect": "What f1_pooled is if every pixel is predicted.",
    "precision_per_image": "Mean precision over the images where anything was predicted.",
    "recall_per_image": "Mean recall over the images that show the defect.",
    "f1_per_image": "Mean F1 over images; an image that is empty in truth and prediction counts 1.",
    "f1_per_image_all_empty": "What f1_per_image is if nothing is ever predicted.",
}
"""What each name of ``TolerantScores.summary`` means."""


class Agreement(NamedTuple):
    """Precision, recall and F1, each 0 to 1, NaN where not defined."""

    precision: float
    recall: float
    f1: float


class TolerantScores:
    """Counts of pixels per image, from which tolerant F1 is read.

    Args:
        tolerance: Largest distance in pixels, 0 or more.

    Raises:
        ConfigError: If the tolerance is negative or no number.
    """

    def __init__(self, tolerance: float = 2.0) -> None:
        """Start without images."""
        if not (math.isfinite(tolerance) and tolerance >= 0):
            msg = f"tolerance must be a number of pixels, 0 or more, got {tolerance}"
            raise ConfigError(msg)
        self.tolerance = tolerance
        self._counts: list[tuple[int, ...]] = []

    def add(self, predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        """Count the pixels of one image and class.

        Args:
            predicted: Predicted mask, bool, shape ``(height, width)``.
            truth: True mask, same shape.

        Raises:
            MaskError: If the masks are not bool or differ in shape.
        """
        refuse_others(MaskError, predicted=predicted, truth=truth)
        if predicted.shape != truth.shape or truth.ndim != 2 or not truth.size:
            msg = (
                "expected two masks of the same height and width, "
                f"got shapes {predicted.shape} and {truth.shape}"
            )
            raise MaskError(msg)
        if predicted.dtype != np.bool_ or truth.dtype != np.bool_:
            msg = (
                f"expected bool masks, got {predicted.dtype} and {truth.dtype}. "
                "Compare probabilities with a threshold first"
            )
            raise MaskError(msg)
        near_truth, near_predicted = (near(mask, self.tolerance) for mask in (truth, predicted))
        stacks = (predicted & near_truth, predicted, truth & near_predicted, truth, near_truth)
        self._counts.append((*(int(stack.sum()) for stack in stacks), truth.size))

    def merge(self, other: "TolerantScores") -> Self:
        """Put the images of two processes together; an image in both counts twice.

        Args:
            other: Scores with the same tolerance.

        Returns:
            New scores of all images; these two stay as they are.

        Raises:
            ConfigError: If the tolerances differ.
        """
        if other.tolerance != self.tolerance:
            msg = f"cannot merge scores with tolerances {self.tolerance} and {other.tolerance}"
            raise ConfigError(msg)
        merged = type(self)(self.tolerance)
        merged._counts = self._counts + other._counts
        return merged

    def __len__(self) -> int:
        """Count the images."""
        return len(self._counts)

    def pooled(self) -> Agreement:
        """One precision, recall and F1 over the pixels of all images.

        F1 is 0 if nothing was predicted though something is there, or nothing
        is there though something was predicted, and NaN if both are empty.
        """
        return _pooled(self._table())

    def per_image(self) -> Agreement:
        """Precision, recall and F1 of each image, each averaged over images.

        Precision is averaged over images where anything was predicted, recall
        over images that show the defect, F1 over all; the F1 of an image is 1
        if it is empty in truth and prediction, 0 if it is empty in only one.
        """
        return Agreement(*map(mean, self._of_images()))

    def summary(self) -> dict[str, Any]:
        """Measures by the names of ``DEFINITIONS``, beside what a constant answer scores."""
        table = self._table()
        near_truth, pixels = table[4:].sum(axis=1)
        pooled, per_image = self.pooled(), self.per_image()
        recall_of_all = 1.0 if table[3].any() else math.nan
        return {
            "images": len(self),
            "tolerance_pixels": self.tolerance,
            "precision_pooled": pooled.precision,
            "recall_pooled": pooled.recall,
            "f1_pooled": pooled.f1,
            "f1_pooled_all_defect": _agreement(ratio(near_truth, pixels), recall_of_all).f1,
            "precision_per_image": per_image.precision,
            "recall_per_image": per_image.recall,
            "f1_per_image": per_image.f1,
            "f1_per_image_all_empty": mean(table[3] == 0),
        }

    def intervals(self, groups: Sequence[Hashable]) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of the measures.

        Args:
            groups: The group of each image, which are drawn whole; all
                different if each image stands for itself.

        Returns:
            Lower and upper end by the name of the measure, NaN where it is
            not defined.
        """
        table, of_images = self._table(), self._of_images()

        def measures(rows: NDArray[np.intp]) -> dict[str, float]:
            pooled = _pooled(table[:, rows])
            per_image = Agreement(*(mean(values[rows]) for values in of_images))
            return {
                f"{name}_{way}": value
                for way, agreement in (("pooled", pooled), ("per_image", per_image))
                for name, value in agreement._asdict().items()
            }

        return bootstrap.intervals(measures, groups)

    def _of_images(self) -> tuple[NDArray[np.float64], ...]:
        """Precision, recall and F1 of each image, NaN where not defined."""
        right, predicted, found, true, *_ = self._table()
        precision, recall = ratio(right, predicted), ratio(found, true)
        f1 = [_agreement(*both).f1 for both in zip(precision, recall, strict=True)]
        return precision, recall, np.where(predicted + true == 0, 1.0, f1)

    def _table(self) -> NDArray[np.int64]:
        """Counts, shape ``(6, images)``.

        Predicted pixels near a true one, predicted, true pixels near a
        predicted one, true, pixels near a true one, all pixels.
        """
        return np.array(self._counts, dtype=np.int64).reshape(-1, 6).T


def near(mask: NDArray[np.bool_], tolerance: float) -> NDArray[np.bool_]:
    """Find the pixels within a distance of a mask.

    Args:
        mask: Bool, shape ``(height, width)``.
        tolerance: Largest Euclidean distance between pixel centres.

    Returns:
        Bool, same shape; nothing is near an empty mask.

    Example:
        >>> near(np.array([[True, False, False, False]]), 2)
        array([[ True,  True,  True, False]])
    """
    if not mask.any():
        return np.zeros_like(mask)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Squared distances between pixels are whole numbers; so rounding cannot move the border.
    return np.rint(np.square(away, dtype=np.float64)) <= tolerance**2 + 1e-6


def _pooled(table: NDArray[np.int64]) -> Agreement:
    right, predicted, found, true, *_ = table.sum(axis=1)
    return _agreement(ratio(right, predicted), ratio(found, true))


def _agreement(precision: Any, recall: Any) -> Agreement:
    """Add F1: 0 if only one side is empty, NaN if both are."""
    precision, recall = float(precision), float(recall)
    if math.isnan(precision) and math.isnan(recall):
        return Agreement(precision, recall, math.nan)
    both = np.nan_to_num([precision, recall])
    return Agreement(precision, recall, float(ratio(2 * both.prod(), both.sum(), empty=0)))
