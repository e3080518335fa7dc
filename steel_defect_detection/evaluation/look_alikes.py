"""Images that show the same thing and are labelled or outlined differently.

At least one of their labels is wrong; which one cannot be told from them alone.
What most images of a group are labelled with is suggested to the others, of two
images the label of the first to the second. ``datasets/duplicates.py`` finds the
groups.
"""

from collections import Counter

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import duplicates
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.duplicates import Links, Place
from steel_defect_detection.evaluation.suspect import Suspect, words

LEAST_OVERLAP = 0.5
"""IoU below which two images that show the same thing are outlined differently."""


def find(dataset: Dataset, labels: NDArray[np.bool_], links: Links) -> list[Suspect]:
    """Find images whose labels or outlines differ from those of an image that looks the same.

    Args:
        dataset: Images that can all be read.
        labels: Which classes each image is labelled with, bool, shape
            ``(images, classes)``.
        links: Which of the images show the same thing.
    """
    found = []
    for group in np.flatnonzero(np.bincount(links.groups) > 1):
        members = np.flatnonzero(links.groups == group)
        found += _other_labels(dataset, labels, members)
    for one, other in links.pairs.tolist():
        if (labels[one] == labels[other]).all() and labels[one].any():
            found += _other_outlines(dataset, labels, one, other)
    return found


def overlap(masks: NDArray[np.bool_], others: NDArray[np.bool_], place: Place) -> float:
    """Intersection over union of two images' masks, within what both images show.

    Args:
        masks: bool, shape ``(classes, height, width)``.
        others: Masks of the other image, which may have another size.
        place: How the first image lies on the other.

    Returns:
        The pixels of all classes taken together; 1 if there are none.
    """
    height, width = others.shape[1:]
    down, right = round(place.down * height), round(place.right * width)
    intersection = union = 0
    for mask, other in zip(masks, others, strict=True):
        turned = np.ascontiguousarray(duplicates.turns(mask)[place.turn], dtype=np.uint8)
        fitted = cv2.resize(turned, (width, height), interpolation=cv2.INTER_NEAREST) > 0
        one = fitted[_shown(-down, height), _shown(-right, width)]
        two = other[_shown(down, height), _shown(right, width)]
        intersection += int((one & two).sum())
        union += int((one | two).sum())
    return intersection / union if union else 1.0


def _shown(moved: int, size: int) -> slice:
    """Rows or columns that are still covered if something of the same size is moved."""
    return slice(max(0, moved), size + min(0, moved))


def _other_labels(
    dataset: Dataset, labels: NDArray[np.bool_], members: NDArray[np.int64]
) -> list[Suspect]:
    """Images of a group that are not labelled as most of it is."""
    rows = [tuple(labels[number].tolist()) for number in members]
    counts = Counter(rows)  # of equal counts the first one wins
    usual, most = counts.most_common(1)[0]
    model = int(members[rows.index(usual)])
    return [
        Suspect(
            image=dataset.names[number],
            reason="look-alike with other labels",
            labelled=words(dataset.classes, labels[number]),
            suggested=words(dataset.classes, labels[model]),
            score=counts[row] / len(rows),
            certainty=most / len(rows),
            beside=dataset.names[model],
        )
        for number, row in zip(members.tolist(), rows, strict=True)
        if row != usual
    ]


def _other_outlines(
    dataset: Dataset, labels: NDArray[np.bool_], one: int, other: int
) -> list[Suspect]:
    """The later image of a pair, if the two are outlined in different places."""
    first, second = dataset.entries[one], dataset.entries[other]
    if first.masks is None or second.masks is None:
        return []
    pictures = first.read_image(), second.read_image()
    masks, others = (
        source.read((picture.shape[0], picture.shape[1]))
        for source, picture in zip((first.masks, second.masks), pictures, strict=True)
    )
    score = overlap(masks, others, duplicates.place(*pictures))
    if score >= LEAST_OVERLAP:
        return []
    return [
        Suspect(
            image=second.name,
            reason="look-alike with other outlines",
            labelled=words(dataset.classes, labels[other]),
            suggested="other outlines",
            score=score,
            certainty=1 - score,
            beside=first.name,
        )
    ]
