"""Sheets: the surfaces that defects are put on, real ones or drawn ones.

A real sheet is a training image: one that is free of defects (``clean``), one
whose defects were painted over (``cleaned``), or one as it is (``as-is``), whose
own defects stay and keep their masks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.sample import Sample, are_defects
from steel_defect_detection.synthesis import backgrounds
from steel_defect_detection.synthesis.cleaning import cleaned
from steel_defect_detection.synthesis.patches import Template, locate

Kind = Literal["clean", "cleaned", "as-is", "drawn"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_CLEANED = 0.25
"""Largest share of an image that is painted over; beyond it too little is left to learn from."""

# Below this share of the steel's median brightness is what lies beyond the strip, and below this
# grey level certainly.
_DARK, _BLACK = 0.25, 16
_MOST_PIXELS = 2**26
SMALLEST_SIDE = 32
STRIP = (256, 1600)
_NEIGHBOURHOOD = 15


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A surface to put defects on.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        masks: Defects that are on it already, bool, shape ``(classes, height,
            width)``.
        free: Where a defect may be put: steel without a defect, bool, shape
            ``(height, width)``.
        kind: Where it came from.
        source: Name of the real image; None for a drawn one.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    free: NDArray[np.bool_]
    kind: Kind
    source: str | None


@dataclass(frozen=True, kw_only=True)
class Sheets:
    """A supply of sheets.

    Args:
        dataset: Training images with their labels, and with masks where any
            defect is to be painted over or kept.
        kinds: Kinds to take, each as often as the others where there are any.
        shape: Height and width of drawn sheets, each at least 32; by default
            those of the training images.
        templates: What to look for, by number of the class from 1, on images
            without masks that are to be cleaned.

    Raises:
        ConfigError: If there is nothing of any of these kinds.
    """

    dataset: Dataset
    kinds: tuple[Kind, ...]
    shape: tuple[int, int] | None = None
    templates: Mapping[int, tuple[Template, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that there are sheets."""
        unknown = sorted(set(self.kinds).difference(KINDS))
        if unknown or not self.kinds:
            msg = f"sheets are {', '.join(KINDS)}; got {', '.join(unknown) or 'none'}"
            raise ConfigError(msg)
        if "drawn" not in self.kinds and not any(map(self._numbers.get, self.kinds)):
            msg = (
                f"there is no training image to take as a sheet of the kind "
                f"{' or '.join(self.kinds)}: clean ones need images free of defects, cleaned ones "
                "and those as-is need masks. --sheets drawn needs neither"
            )
            raise ConfigError(msg)
        if self.shape is not None:
            check_shape(self.shape, SMALLEST_SIDE)

    def pick(self, generator: np.random.Generator, *, without: str | None = None) -> Sheet:
        """Take a sheet at random.

        Args:
            generator: Source of the choice.
            without: Name of an image not to take unless there is no other.

        Raises:
            SynthesisError: If none of the images tried can be cleaned.
            ImageError: If an image cannot be read.
            AnnotationError: If its masks cannot be read.
        """
        at_hand = [kind for kind in self.kinds if kind == "drawn" or self._numbers[kind]]
        kind = at_hand[int(generator.integers(len(at_hand)))]
        if kind == "drawn":
            return drawn(generator, self._drawn_shape(generator), len(self.dataset.classes))
        choices, entries = self._numbers[kind], self.dataset.entries
        others = [number for number in choices if entries[number].name != without] or choices
        for number in generator.permutation(others).tolist():
            sheet = self._sheet(self.dataset[number], kind, generator)
            if sheet is not None:
                return sheet
        msg = (
            f"no training image can be cleaned: the defects cover more than {MOST_CLEANED:.0%} of "
            "each, or the templates are not found on it. Take '--sheets as-is', or 'drawn'"
        )
        raise SynthesisError(msg)

    def _sheet(self, sample: Sample, kind: Kind, generator: np.random.Generator) -> Sheet | None:
        if kind == "cleaned" and sample.masks is None:
            masks = locate(sample, self.templates)
            if masks is None:
                return None
            sample = replace(sample, labels=None, masks=masks)
        return of_sample(sample, kind, generator)

    def _drawn_shape(self, generator: np.random.Generator) -> tuple[int, int]:
        if self.shape is not None:
            return self.shape
        if not self.dataset.entries:
            return STRIP
        number = int(generator.integers(len(self.dataset)))
        return self.dataset.entries[number].read_shape()

    @cached_property
    def _numbers(self) -> dict[Kind, list[int]]:
        """Numbers of the images that can become a sheet of each kind."""
        bad = self.dataset.defective()
        outlined = np.array([entry.masks is not None for entry in self.dataset.entries], np.bool_)
        labels = self.dataset.labels()[:, are_defects(self.dataset.classes, self._good)]
        looked_for = np.array(
            [number in self.templates for number in range(1, len(self.dataset.classes) + 1)]
        )[are_defects(self.dataset.classes, self._good)]
        findable = ~(labels & ~looked_for).any(axis=1)
        return {
            "clean": np.flatnonzero(~bad).tolist(),
            "cleaned": np.flatnonzero(bad & (outlined | findable)).tolist(),
            "as-is": np.flatnonzero(bad & outlined).tolist(),
        }

    @property
    def _good(self) -> str | None:
        return self.dataset.good_class


def choose_kinds(
    dataset: Dataset, templates: Mapping[int, tuple[Template, ...]] | None = None
) -> tuple[Kind, ...]:
    """Choose the kinds of sheets that suit a data set.

    Clean images where there are any. Else images as they are: painting over
    leaves traces that a network could take for the mark of a clean surface.
    Where there are no masks, nobody knows where the defects of an image are: it
    is cleaned if there are templates of them, else sheets are drawn.

    Args:
        dataset: Training images with labels.
        templates: What can be looked for on images without masks.
    """
    if not dataset.defective().all():
        return ("clean",)
    if any(entry.masks is not None for entry in dataset.entries):
        return ("as-is",)
    return ("cleaned",) if templates else ("drawn",)


def check_shape(shape: tuple[int, int], smallest: int) -> None:
    """Refuse shapes that cannot be drawn.

    Args:
        shape: Height and width, in pixels.
        smallest: Least height and width.

    Raises:
        ConfigError: If it is too small, or larger than any camera's picture.
    """
    if min(shape) < smallest or shape[0] * shape[1] > _MOST_PIXELS:
        msg = (
            f"expected a shape of at least {smallest} x {smallest} and at most {_MOST_PIXELS:,} "
            f"pixels in all, got {shape[0]} x {shape[1]}"
        )
        raise ConfigError(msg)


def of_sample(sample: Sample, kind: Kind, generator: np.random.Generator) -> Sheet | None:
    """Make a sheet of an image.

    Args:
        sample: The image with its masks.
        kind: What to make of its defects.
        generator: Source of the detail that is painted over them.

    Returns:
        The sheet; None where too much would have to be painted over.
    """
    masks = sample.masks
    if masks is None or kind == "clean":
        masks = np.zeros((len(sample.classes), *sample.shape), np.bool_)
    masks = _apart(masks)
    image = sample.image
    defects = np.asarray(masks.any(axis=0), np.bool_)
    if kind == "cleaned":
        if defects.mean() > MOST_CLEANED:
            return None
        image = cleaned(image, defects, generator)
        masks, defects = np.zeros_like(masks), np.zeros_like(defects)
    free = is_steel(image) & ~defects
    return Sheet(image=image, masks=masks, free=free, kind=kind, source=sample.name)


def drawn(generator: np.random.Generator, shape: tuple[int, int], class_count: int) -> Sheet:
    """Draw a clean sheet.

    Args:
        generator: Source of everything random.
        shape: Height and width, in pixels.
        class_count: How many classes its masks have.
    """
    background = backgrounds.draw(generator, shape)
    free = np.zeros(shape, np.bool_)
    free[:, slice(*background.steel)] = True
    masks = np.zeros((class_count, *shape), np.bool_)
    image = background.grey[:, :, None]
    return Sheet(image=image, masks=masks, free=free, kind="drawn", source=None)


def is_steel(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell the sheet from the darkness beyond it, bool, shape ``(height, width)``."""
    grey = image.mean(axis=2, dtype=np.float32)
    around = cv2.blur(grey, (_NEIGHBOURHOOD, _NEIGHBOURHOOD))
    light = grey[grey > _BLACK]
    if not light.size:
        return np.ones(grey.shape, np.bool_)
    return np.asarray(around >= _DARK * np.median(light), np.bool_)


def _apart(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give each pixel that shows several classes to the first of them."""
    earlier = np.cumsum(masks, axis=0) - masks > 0
    return np.asarray(masks & ~earlier, np.bool_)
