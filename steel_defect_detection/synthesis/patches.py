"""Patches: single defects cut out of real images, to be put on other sheets.

Where images have masks, a patch is one connected defect. Where they only have
labels, a picture of what to look for (a template) is searched on each image of
its class by normalised cross-correlation, and the place that is most like it is
cut out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.crops import Box, find
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.masks import components
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.blending import MARGIN
from steel_defect_detection.synthesis.cleaning import cleaned, with_rim

# Pixels between parts that count as one defect, and the least that is worth pasting.
_JOIN = 4
_LEAST_AREA = 12
# Parts much smaller than the largest of their image are crumbs.
_CRUMB = 0.03
_TOO_LARGE = -2.0


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One defect with a little of what surrounds it.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        mask: The defect, bool, shape ``(height, width)``.
        source: Name of the image it was cut from.
        box: Where it lay in that image, margin included.
        touches: Whether the defect reached the top, bottom, left and right
            border of that image, so that only a part of it is seen.
        others: Other defects that are seen in it, bool, shape ``(height, width)``.
        score: How much it is like its template, -1 to 1; None without one.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    source: str
    box: Box
    touches: tuple[bool, bool, bool, bool]
    others: NDArray[np.bool_]
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Template:
    """A picture of what to look for.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        least_score: Normalised cross-correlation, -1 to 1, below which nothing
            was found.
        ink: Lowest and highest grey level of the pixels that are cut out; by
            default the whole box.
    """

    image: NDArray[np.uint8]
    least_score: float = 0.6
    ink: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Patches:
    """A supply of patches of each class.

    Args:
        dataset: Training images with labels.
        templates: What to look for, by number of the class from 1. Classes
            without a template are cut out by their masks.

    Raises:
        ConfigError: If there is no image to cut anything out of.
    """

    dataset: Dataset
    templates: Mapping[int, tuple[Template, ...]]

    def __post_init__(self) -> None:
        """Check that there is something to cut out."""
        if not self.classes:
            msg = (
                "there is nothing to cut out: no training image shows a defect with a mask. "
                "Without masks, say what to look for: --templates FOLDER"
            )
            raise ConfigError(msg)

    @cached_property
    def classes(self) -> tuple[int, ...]:
        """Numbers of the classes, from 1, of which there may be patches."""
        return tuple(number for number, images in self._donors.items() if images)

    def pick(self, number: int, generator: np.random.Generator) -> Patch:
        """Take a defect of a class at random.

        Args:
            number: Number of the class, from 1.
            generator: Source of the choice.

        Raises:
            ConfigError: If no training image shows the class, or has its mask.
            SynthesisError: If nothing could be cut out of any of them.
            ImageError: If an image cannot be read.
            AnnotationError: If its masks cannot be read.
        """
        name = self.dataset.classes[number - 1]
        if not self._donors[number]:
            msg = (
                f"no training image shows {name!r} with a mask, and there is no template of it: "
                "there is nothing to cut out. Draw it: sdd-synthesize draw"
            )
            raise ConfigError(msg)
        for donor in generator.permutation(self._donors[number]).tolist():
            found = self._cut(self.dataset[donor], number)
            if found:
                return _alone(found[int(generator.integers(len(found)))], generator)
        msg = f"no {name!r} could be cut out of {len(self._donors[number])} training images"
        raise SynthesisError(msg + self._reason(number))

    def _reason(self, number: int) -> str:
        """Say why no template was found."""
        if number not in self.templates:
            return ": their masks hold nothing but specks"
        scores = [
            best_place(self.dataset[donor], template)[0]
            for donor in self._donors[number]
            for template in self.templates[number]
        ]
        if max(scores) == _TOO_LARGE:
            return ": the templates are larger than the images"
        least = min(template.least_score for template in self.templates[number])
        if max(scores) < least:
            return f": the best place scores {max(scores):.2f}, and {least:g} is asked for"
        return ": where a template fits, no pixel has the grey levels of the ink"

    @cached_property
    def _donors(self) -> dict[int, list[int]]:
        """Numbers of the images that each class can be cut from."""
        labels = self.dataset.labels()
        masked = np.array([entry.masks is not None for entry in self.dataset.entries], np.bool_)
        return {
            number: (labels[:, number - 1] & (masked | (number in self.templates)))
            .nonzero()[0]
            .tolist()
            for number in range(1, len(self.dataset.classes) + 1)
        }

    def _cut(self, sample: Sample, number: int) -> list[Patch]:
        if number in self.templates:
            found = [match(sample, template) for template in self.templates[number]]
            return [patch for patch in found if patch is not None]
        return [] if sample.masks is None else cut(sample, number)


def cut(sample: Sample, number: int) -> list[Patch]:
    """Cut out the defects of a class by their mask.

    Args:
        sample: An image with masks.
        number: Number of the class, from 1.

    Returns:
        One patch per connected defect; specks are left out.
    """
    if sample.masks is None:
        return []
    mask = sample.masks[number - 1]
    every = np.asarray(sample.masks.any(axis=0), np.bool_)
    defects = find(mask, join=_JOIN)
    largest = max((defect.area for defect in defects), default=0)
    least = max(_LEAST_AREA, _CRUMB * largest)
    return [_patch(sample, mask, every, defect.box) for defect in defects if defect.area >= least]


def locate(
    sample: Sample, templates: Mapping[int, tuple[Template, ...]]
) -> NDArray[np.bool_] | None:
    """Find the defects of an image that has labels alone.

    Args:
        sample: The image with its labels.
        templates: What to look for, by number of the class from 1.

    Returns:
        Masks, bool, shape ``(classes, height, width)``; None if a class that the
        image shows was not found.
    """
    masks = np.zeros((len(sample.classes), *sample.shape), np.bool_)
    labels = np.zeros(len(sample.classes), np.bool_) if sample.labels is None else sample.labels
    for place in np.flatnonzero(labels).tolist():
        found = [match(sample, template) for template in templates.get(place + 1, ())]
        patches = [patch for patch in found if patch is not None]
        if not patches:
            return None
        best = max(patches, key=lambda patch: patch.score or 0)
        box = best.box
        masks[place, box.top : box.top + box.height, box.left : box.left + box.width] |= best.mask
    return masks


def match(sample: Sample, template: Template) -> Patch | None:
    """Cut out the place that is most like a template.

    Normalised cross-correlation: the mean of grey levels and their contrast do
    not count, only how they vary together.

    Args:
        sample: The image.
        template: What to look for.

    Returns:
        The patch; None where nothing is like the template, or the template is
        larger than the image.
    """
    grey = _grey(sample.image)
    score, box = best_place(sample, template)
    if score < template.least_score:
        return None
    top, left = box.top, box.left
    inside = grey[top : top + box.height, left : left + box.width]
    low, high = template.ink or (0, 255)
    mask = np.zeros(grey.shape, np.bool_)
    mask[top : top + box.height, left : left + box.width] = (inside >= low) & (inside <= high)
    if not mask.any():
        return None
    return _patch(sample, mask, mask, box, score=float(score))


def best_place(sample: Sample, template: Template) -> tuple[float, Box]:
    """Find the place that is most like a template.

    Args:
        sample: The image.
        template: What to look for.

    Returns:
        Normalised cross-correlation, -1 to 1, and the place; -2 where the
        template is larger than the image.
    """
    grey, wanted = _grey(sample.image), _grey(template.image)
    if wanted.shape[0] > grey.shape[0] or wanted.shape[1] > grey.shape[1]:
        return _TOO_LARGE, Box(0, 0, *wanted.shape)
    # Where the image is constant the correlation is not defined; OpenCV says 1, or not a number.
    scores = cv2.matchTemplate(grey, wanted, cv2.TM_CCOEFF_NORMED)
    scores[~np.isfinite(scores) | (np.abs(scores) > 1 + 1e-3) | _is_flat(grey, wanted.shape)] = -1
    _, score, _, (left, top) = cv2.minMaxLoc(scores)
    return float(score), Box(top, left, *wanted.shape)


def _patch(
    sample: Sample,
    mask: NDArray[np.bool_],
    every: NDArray[np.bool_],
    box: Box,
    score: float | None = None,
) -> Patch:
    height, width = sample.shape
    top, left = max(0, box.top - MARGIN), max(0, box.left - MARGIN)
    bottom = min(height, box.top + box.height + MARGIN)
    right = min(width, box.left + box.width + MARGIN)
    window = (slice(top, bottom), slice(left, right))
    touches = (
        box.top == 0,
        box.top + box.height == height,
        box.left == 0,
        box.left + box.width == width,
    )
    inner = Box(box.top - top, box.left - left, box.height, box.width)
    own = _within(mask[window], inner)
    return Patch(
        image=sample.image[window].copy(),
        mask=own,
        source=sample.name,
        box=Box(top, left, bottom - top, right - left),
        touches=touches,
        others=every[window] & ~own,
        score=score,
    )


def _within(mask: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
    """Keep the parts of a mask that lie in a box; a part that goes on beyond it is another."""
    labels, count = components(mask)
    outside = labels.copy()
    outside[box.top : box.top + box.height, box.left : box.left + box.width] = 0
    foreign = np.zeros(count + 1, np.bool_)
    foreign[np.unique(outside)] = True
    return mask & ~foreign[labels]


def _alone(patch: Patch, generator: np.random.Generator) -> Patch:
    """Paint over the other defects that are seen in a patch."""
    if not patch.others.any():
        return patch
    # The defect itself stays, and must not shine into what is painted beside it.
    empty = cleaned(patch.image, patch.mask | patch.others, generator)
    beside = with_rim(patch.others) & ~patch.mask
    image = np.where(beside[..., None], empty, patch.image)
    return replace(patch, image=image, others=np.zeros_like(patch.others))


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.shape[2] == 1:
        return image[..., 0]
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _is_flat(grey: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell at which places a window of some shape holds one grey level only."""
    kernel = np.ones(shape, np.uint8)
    anchor = (0, 0)
    highest = cv2.dilate(grey, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    lowest = cv2.erode(grey, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)
    rows, columns = grey.shape[0] - shape[0] + 1, grey.shape[1] - shape[1] + 1
    return np.asarray((highest == lowest)[:rows, :columns], np.bool_)
