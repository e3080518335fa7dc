"""How well scores rank images, whatever threshold is put on them later."""

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from steel_defect_detection.errors import AnnotationError, InferenceError
from steel_defect_detection.metrics.arrays import refuse_others


def auroc(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic.

    It is the probability that an image with the label scores above one
    without, ties counting one half.

    Args:
        scores: One score per image, of any range, shape ``(images,)``.
        labels: Whether each image has the label, bool, shape ``(images,)``.

    Returns:
        0 to 1, or NaN if only one kind of image is there.

    Raises:
        InferenceError: If a score is no number.
        AnnotationError: If there is not one label per score, or labels are
            neither bool nor 0 and 1.
    """
    ranks = _ranks(scores, labels)
    if labels.all() or not labels.any():
        return float("nan")
    return float(binary_auroc(ranks, torch.from_numpy(labels.astype(np.int64))))


def average_precision(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """Area under the curve of precision over recall, as a sum of steps.

    With thresholds falling over the scores, it is the sum of the precision at
    each, times the recall gained there.

    Args:
        scores: One score per image, of any range, shape ``(images,)``.
        labels: Whether each image has the label, bool, shape ``(images,)``.

    Returns:
        0 to 1, or NaN if no image has the label. Without a model it is the
        share of images with the label.

    Raises:
        InferenceError: If a score is no number.
        AnnotationError: If there is not one label per score, or labels are
            neither bool nor 0 and 1.
    """
    ranks = _ranks(scores, labels)
    if not labels.any():
        return float("nan")
    return float(binary_average_precision(ranks, torch.from_numpy(labels.astype(np.int64))))


def refuse_nan(scores: NDArray[np.floating]) -> None:
    """Raise unless all scores are numbers.

    Args:
        scores: Scores of any shape and range; infinite ones are numbers.

    Raises:
        InferenceError: If a score is no number.
    """
    missing = int(np.isnan(scores).sum())
    if missing:
        msg = f"expected numbers as scores, but {missing} of {scores.size} are NaN"
        raise InferenceError(msg)


def refuse_no_truth(truth: NDArray[np.generic], name: str) -> None:
    """Raise unless an array says of each case whether something is so.

    Args:
        truth: Bool, or whole numbers that are 0 or 1, of any shape.
        name: What it is called in the message.

    Raises:
        AnnotationError: If it holds something else, such as scores.
    """
    whole = truth.dtype.kind in "iu" and bool(np.isin(truth, (0, 1)).all())
    if truth.dtype != np.bool_ and not whole:
        msg = f"expected bool {name}, or 0 and 1 as whole numbers, got {truth.dtype}"
        msg += " with other values" if truth.dtype.kind in "iu" else ". Did scores change places?"
        raise AnnotationError(msg)


def _ranks(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> torch.Tensor:
    """Replace scores by their ranks, 0 to 1, equal scores sharing one.

    torchmetrics takes scores outside 0 to 1 for logits, and the sigmoid that
    it then applies makes large ones equal.
    """
    refuse_others(AnnotationError, scores=scores, labels=labels)
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or labels.shape != values.shape:
        msg = f"expected one label per score, got shapes {labels.shape} and {values.shape}"
        raise AnnotationError(msg)
    refuse_no_truth(labels, "labels")
    refuse_nan(values)
    kinds, ranks = np.unique(values, return_inverse=True)
    return torch.from_numpy(ranks / max(len(kinds) - 1, 1))
