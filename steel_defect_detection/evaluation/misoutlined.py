"""Regions whose outlines are probably wrong, by a simple rule.

cleanlab's functions for outlines want pixels of exclusive classes and all
probabilities of all images at the same time. Here one image is looked at after
the other, classes may overlap, and this is the rule, region by region (a region
is the connected pixels of one class):

* An outlined region is suspected if the probability of its class reaches
  ``UNLIKELY`` nowhere in it, nor close around it. If the model gives more than half
  of it to another class, that one is suggested.
* A region that the model outlines is suspected if its mean probability is at
  least ``CERTAIN`` and less than ``MOST_OUTLINED`` of it is outlined, as
  whatever class.

Regions that are small in their image do not count. Where a gate let the image
pass, its probability of any defect stands for that of every pixel. An image
with labels only is looked at as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.evaluation.suspect import NOTHING, Suspect
from steel_defect_detection.prediction import Prediction
from steel_defect_detection.sample import Sample

UNLIKELY = 0.2
"""Probability below which the model does not see the class at all."""
CERTAIN = 0.9
"""Mean probability of a region from which the model is sure of it."""
MOST_OUTLINED = 0.1
"""Share of a region from which somebody has outlined it, more or less."""
LEAST_SHARE_OUTLINED, LEAST_SHARE_FOUND = 0.001, 0.005
"""Share of the image that a region needs to count: an outlined one, and one that was found."""
CLOSE = 0.02
"""What is close around a region, by the shorter side of the image."""


def find(sample: Sample, prediction: Prediction) -> list[Suspect]:
    """Find the outlines of an image that are probably wrong.

    Args:
        sample: The image with masks, or with labels only.
        prediction: What a model that outlines defects says of it, with the
            probabilities of the pixels, unless a gate let it pass.

    Returns:
        One suspect for each reason and class: with the lowest score of its
        regions and the pixels of all of them.

    Raises:
        ConfigError: If the probabilities were not kept.
    """
    probabilities = _probabilities(prediction, sample.shape)
    if sample.masks is None:
        return _joined(_against_labels(sample, prediction, probabilities))
    outlined = np.asarray(sample.masks.any(axis=0))
    return _joined(
        [
            *_not_found(sample, sample.masks, prediction, probabilities),
            *_not_outlined(sample, outlined, prediction, probabilities),
        ]
    )


class _Region(NamedTuple):
    """Connected pixels: the box around them, which of it they are, and how many."""

    box: tuple[slice, slice]
    mask: NDArray[np.bool_]
    area: int


def _probabilities(prediction: Prediction, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Probability of each class at each pixel, shape ``(classes, height, width)``."""
    if prediction.probabilities is not None:
        return prediction.probabilities
    if prediction.gate_probability is None or prediction.areas.any():
        msg = "suspects are found by probabilities: load the model with keep_probabilities"
        raise ConfigError(msg)
    return np.full((len(prediction.classes), *shape), prediction.gate_probability, dtype=np.float32)


def _not_found(
    sample: Sample,
    truth: NDArray[np.bool_],
    prediction: Prediction,
    probabilities: NDArray[np.float32],
) -> Iterator[Suspect]:
    """Outlined regions in which the model does not see the class."""
    label_map = _label_map(prediction)
    margin = max(1, round(CLOSE * min(sample.shape)))
    for number, name in enumerate(sample.classes):
        for region in _regions(truth[number], LEAST_SHARE_OUTLINED, margin):
            # Somebody who outlines a little off has seen the same thing.
            near = cv2.dilate(region.mask.astype(np.uint8), _disc(margin)) > 0
            score = float(probabilities[number][region.box][near].max())
            if score >= UNLIKELY:
                continue
            inside = label_map[region.box][region.mask]
            counts = np.bincount(inside, minlength=len(sample.classes) + 1)[1:]
            other = int(counts.argmax())
            known = bool(counts[other] > region.area / 2)
            certainty = (
                float(probabilities[other][region.box][region.mask].mean()) if known else 1 - score
            )
            yield Suspect(
                image=sample.name,
                reason="outline of another class" if known else "outline not found",
                labelled=name,
                suggested=sample.classes[other] if known else NOTHING,
                score=score,
                certainty=certainty,
                area_pixels=region.area,
            )


def _not_outlined(
    sample: Sample,
    outlined: NDArray[np.bool_],
    prediction: Prediction,
    probabilities: NDArray[np.float32],
) -> Iterator[Suspect]:
    """Regions of which the model is sure where nobody has outlined anything."""
    label_map = _label_map(prediction)
    for number, name in enumerate(sample.classes):
        for region in _regions(label_map == number + 1, LEAST_SHARE_FOUND, 0):
            certainty = float(probabilities[number][region.box][region.mask].mean())
            if certainty < CERTAIN:
                continue
            if outlined[region.box][region.mask].mean() < MOST_OUTLINED:
                yield Suspect(
                    image=sample.name,
                    reason="defect not outlined",
                    labelled=NOTHING,
                    suggested=name,
                    score=1 - certainty,
                    certainty=certainty,
                    area_pixels=region.area,
                )


def _against_labels(
    sample: Sample, prediction: Prediction, probabilities: NDArray[np.float32]
) -> Iterator[Suspect]:
    """Classes that are labelled and nowhere seen, or seen with certainty and not labelled."""
    labels = np.zeros(len(sample.classes), np.bool_) if sample.labels is None else sample.labels
    nothing = np.zeros(sample.shape, dtype=np.bool_)
    for suspect in _not_outlined(sample, nothing, prediction, probabilities):
        if not labels[sample.classes.index(suspect.suggested)]:
            yield replace(suspect, reason="class not labelled", labelled=f"no {suspect.suggested}")
    for number in np.flatnonzero(labels):
        score = float(probabilities[number].max())
        if score < UNLIKELY:
            name = sample.classes[number]
            yield Suspect(
                image=sample.name,
                reason="class not shown",
                labelled=name,
                suggested=f"no {name}",
                score=score,
                certainty=1 - score,
            )


def _label_map(prediction: Prediction) -> NDArray[np.uint8]:
    if prediction.label_map is None:
        msg = "outlines are looked for, but this model draws none"
        raise ConfigError(msg)
    return prediction.label_map


def _regions(mask: NDArray[np.bool_], least_share: float, margin: int) -> Iterator[_Region]:
    """Connected pixels that are at least a share of the image, with a margin around them."""
    count, numbers, boxes, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in boxes[number])
        if area < least_share * mask.size:
            continue
        box = (
            slice(max(0, top - margin), top + height + margin),
            slice(max(0, left - margin), left + width + margin),
        )
        yield _Region(box, np.asarray(numbers[box] == number), area)


def _disc(radius: int) -> NDArray[np.uint8]:
    size = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size), dtype=np.uint8)


def _joined(suspects: Iterable[Suspect]) -> list[Suspect]:
    """One suspect for each reason and class, the worst of its regions with the area of all."""
    found: dict[tuple[str, str, str], Suspect] = {}
    for suspect in suspects:
        key = (suspect.reason, suspect.labelled, suspect.suggested)
        other = found.get(key)
        if other is not None:
            area = (suspect.area_pixels or 0) + (other.area_pixels or 0)
            worst = min(suspect, other, key=lambda one: one.score)
            found[key] = replace(worst, area_pixels=area)
        else:
            found[key] = suspect
    return list(found.values())
