"""Whether probabilities say how often they are right."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import binary_calibration_error

from steel_defect_detection.errors import AnnotationError, InferenceError
from steel_defect_detection.metrics.arrays import refuse_others
from steel_defect_detection.metrics.fractions import ratio
from steel_defect_detection.metrics.ranking import refuse_nan, refuse_no_truth

BINS = 10
"""Bins of equal width between 0 and 1."""


# By so much a sum of exponentials in float32 may end above 1.
_ROUNDING = 1e-5


class Reliability(NamedTuple):
    """What was said and what came of it, by bins of what was said.

    Args:
        said: Mean probability in each bin, NaN in an empty one, shape ``(bins,)``.
        happened: Share of cases in each bin where it was so, likewise.
        counts: Cases in each bin.
    """

    said: NDArray[np.float64]
    happened: NDArray[np.float64]
    counts: NDArray[np.int64]


def expected_calibration_error(
    probabilities: NDArray[np.floating], happened: NDArray[np.bool_], *, bins: int = BINS
) -> float:
    """Mean gap between what was said and how often it was so, over bins, weighted by cases.

    Args:
        probabilities: What was said, 0 to 1, shape ``(cases,)``.
        happened: Whether it was so, bool, same shape.
        bins: Bins of equal width.

    Returns:
        0 to 1; NaN without cases.

    Raises:
        AnnotationError: If the shapes differ, or ``happened`` is neither bool nor
            0 and 1.
        InferenceError: If a probability is no number, or not between 0 and 1.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
    https://arxiv.org/abs/1706.04599.
    """
    said = torch.from_numpy(_checked(probabilities, happened))
    if not len(said):
        return float("nan")
    shown = torch.from_numpy(happened.astype(np.int64))
    return float(binary_calibration_error(said, shown, n_bins=bins))


def reliability(
    probabilities: NDArray[np.floating], happened: NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Set what was said beside what came of it.

    Args:
        probabilities: What was said, 0 to 1, shape ``(cases,)``.
        happened: Whether it was so, bool, same shape.
        bins: Bins of equal width; a probability on a border belongs to the
            upper bin, and 1 to the last.

    Raises:
        AnnotationError: If the shapes differ, or ``happened`` is neither bool nor
            0 and 1.
        InferenceError: If a probability is no number, or not between 0 and 1.
    """
    said = _checked(probabilities, happened)
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=said, minlength=bins)
    hits = np.bincount(place, weights=happened.astype(np.float64), minlength=bins)
    return Reliability(ratio(sums, counts), ratio(hits, counts), counts)


def _checked(
    probabilities: NDArray[np.floating], happened: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Probabilities between 0 and 1, in one piece of memory, of which torch makes a tensor."""
    refuse_others(AnnotationError, probabilities=probabilities, happened=happened)
    refuse_nan(probabilities)
    if probabilities.ndim != 1 or probabilities.shape != happened.shape:
        msg = (
            f"expected one outcome per probability, got shapes {happened.shape} and "
            f"{probabilities.shape}"
        )
        raise AnnotationError(msg)
    refuse_no_truth(happened, "outcomes")
    said = np.ascontiguousarray(probabilities, dtype=np.float64)
    low, high = said.min(initial=0.0), said.max(initial=0.0)
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        msg = f"expected probabilities, 0 to 1, got values from {low:g} to {high:g}"
        raise InferenceError(msg)
    return said.clip(0.0, 1.0)
