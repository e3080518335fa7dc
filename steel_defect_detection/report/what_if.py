"""What another threshold would do, as far as results can tell.

A gate that fires hands an image on to be outlined, and the image is a defect if
something is outlined there. So a higher threshold is judged exactly: of the
images that are defects now, those remain that reach it. A lower one is not:
what would be outlined on images that nobody has outlined yet is not known, so
there is a least and a most. Unfamiliar images keep the verdict they have.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from steel_defect_detection.report.judged import Judged, Results

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Thresholds to try beside the present one."""


class Outcome(NamedTuple):
    """What a threshold would do.

    Args:
        threshold: The threshold.
        reached: Images whose probability of any defect reaches it.
        least: Images that would be called defects at least.
        most: And at most; more than the least only below the present threshold.
        is_present: Whether it is the threshold that the images were judged by.
    """

    threshold: float
    reached: int
    least: int
    most: int
    is_present: bool


def deciding(results: Results) -> float | None:
    """The one threshold of any defect that verdicts rest on; None if there is no such.

    Args:
        results: Results of any model.
    """
    if not any(math.isfinite(image.gate_probability) for image in results.images):
        return None
    is_gate = results.about("model", "architecture") not in {None, "classifier", "segmenter"}
    present = results.threshold("gate" if is_gate else "defect")
    return present if math.isfinite(present) else None


def outcomes(results: Results, present: float) -> list[Outcome]:
    """Say what each threshold would do.

    Args:
        results: Results of a model that has such a threshold.
        present: The threshold they were judged by.

    Returns:
        One outcome per threshold, the present one among them, from low to high.
    """
    least_familiar = results.threshold("familiarity")
    fixed = [image for image in results.images if _is_fixed(image, least_familiar)]
    free = [image for image in results.images if not _is_fixed(image, least_familiar)]
    always = sum(image.verdict == "defect" for image in fixed)
    outlines = results.about("model", "architecture") != "classifier"
    found = []
    for threshold in sorted({*THRESHOLDS, present}):
        least, most = _called(free, threshold, present, outlines=outlines)
        reached = sum(_reaches(image, threshold) for image in results.images)
        found.append(
            Outcome(threshold, reached, always + least, always + most, threshold == present)
        )
    return found


def _is_fixed(image: Judged, least_familiar: float) -> bool:
    """Whether a verdict does not rest on the probability of a defect."""
    return image.verdict not in {"defect", "clean"} or image.familiarity < least_familiar


def _called(
    free: Sequence[Judged], threshold: float, present: float, *, outlines: bool
) -> tuple[int, int]:
    """How many of the images that a threshold decides would be defects, at least and at most."""
    if not outlines:
        called = sum(_reaches(image, threshold) for image in free)
        return called, called
    defects = [image for image in free if image.verdict == "defect"]
    if threshold == present:
        return len(defects), len(defects)
    if threshold > present:
        called = sum(_reaches(image, threshold) for image in defects)
        return called, called
    fresh = sum(_reaches(image, threshold) and not _reaches(image, present) for image in free)
    return len(defects), len(defects) + fresh


def _reaches(image: Judged, threshold: float) -> bool:
    # The table holds six digits: rounded likewise, what reached a threshold still does.
    return image.gate_probability >= float(f"{threshold:.6g}")
