"""Images whose classes are probably wrong, by confident learning.

A class counts as seen on an image if its probability reaches what it is on
average on the images labelled with that class, or ``SURE``. Where the class that
is seen is not the label, the label is suspected, unless the label is the
likeliest class all the same.

Source: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty
in Dataset Labels", JAIR 2021, https://arxiv.org/abs/1911.00068, as computed by
cleanlab: what lies off the diagonal of the confident joint. ``SURE`` is an
addition: where the model gives nearly all images of a class 0.999, one with
0.99 would else not count as seen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.evaluation.suspect import Suspect

SURE = 0.9
"""Probability from which a class counts as seen, however sure the model is on average."""


def exclusive(
    names: Sequence[str],
    classes: Sequence[str],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
) -> list[Suspect]:
    """Find wrong labels where each image shows exactly one class.

    Args:
        names: Names of the images.
        classes: Names of the classes.
        labels: Which class each image is labelled with, bool, shape ``(images,
            classes)``.
        probabilities: Of each class, same shape.

    Raises:
        AnnotationError: If an image is labelled with no class or with several.
    """
    for name, row in zip(names, labels, strict=True):
        if row.sum() != 1:
            msg = f"{name} shows {row.sum()} classes, but the model gives each image one"
            raise AnnotationError(msg)
    given = labels.argmax(axis=1)
    numbers, scores = _confidently_wrong(given, probabilities)
    likeliest = probabilities.argmax(axis=1)
    return [
        Suspect(
            image=names[number],
            reason="other class",
            labelled=classes[given[number]],
            suggested=classes[likeliest[number]],
            score=float(scores[number]),
            certainty=float(probabilities[number].max()),
        )
        for number in numbers
    ]


def independent(
    names: Sequence[str],
    classes: Sequence[str],
    labels: NDArray[np.bool_],
    probabilities: NDArray[np.float64],
) -> list[Suspect]:
    """Find wrong labels where an image may show any classes, class by class.

    Args:
        names: Names of the images.
        classes: Names of the classes.
        labels: Which classes each image is labelled with, bool, shape
            ``(images, classes)``.
        probabilities: Of each class, same shape.
    """
    found = []
    for column, name in enumerate(classes):
        shows = probabilities[:, column]
        numbers, scores = _confidently_wrong(
            labels[:, column].astype(np.int64), np.stack([1 - shows, shows], axis=1)
        )
        for number in numbers:
            labelled = bool(labels[number, column])
            found.append(
                Suspect(
                    image=names[number],
                    reason="class not shown" if labelled else "class not labelled",
                    labelled=name if labelled else f"no {name}",
                    suggested=f"no {name}" if labelled else name,
                    score=float(scores[number]),
                    certainty=float(1 - scores[number]),
                )
            )
    return found


def _confidently_wrong(
    given: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers of the images whose label is suspected, and the score of every label."""
    # Where all labels are the same, nothing is known of what another one would look like, and
    # cleanlab refuses to count.
    if len(np.unique(given)) < 2:
        return np.empty(0, dtype=np.int64), np.ones(len(given))
    # Imported late: it takes seconds, and few ask for it.
    from cleanlab.count import compute_confident_joint, get_confident_thresholds
    from cleanlab.rank import get_label_quality_scores

    limits = np.minimum(get_confident_thresholds(given, probabilities), SURE)
    _, counted = compute_confident_joint(
        given, probabilities, thresholds=limits, return_indices_of_off_diagonals=True
    )
    scores = get_label_quality_scores(given, probabilities, method="self_confidence")
    wrong = np.zeros(len(given), dtype=np.bool_)
    wrong[counted] = True
    # Where the average of a class is low, its images may count as seen below the label's.
    wrong &= scores < probabilities.max(axis=1)
    return np.flatnonzero(wrong), np.asarray(scores, dtype=np.float64)
