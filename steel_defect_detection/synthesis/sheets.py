"""Sheets: the surfaces that defects are put on, real ones or drawn ones.

A real sheet is a training image: one that is free of defects (``clean``), one
whose defects were painted over (``cleaned``), or one as it is (``as-is``), whose
own defects stay and keep their masks.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis import backgrounds

Kind = Literal["clean", "cleaned", "as-is", "drawn"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_CLEANED = 0.25
"""Largest share of an image that is painted over; beyond it too little is left to learn from."""

# Pixels around a defect that still show a little of it.
_RIM = 4
# Detail finer than this many pixels is taken from elsewhere on the sheet.
_SIGMA = 4.0
# Ways tried to move the sheet's own detail over a hole, so that as much as possible is real.
_SHIFTS = 12
# Below this share of the steel's median brightness is what lies beyond the strip, and below this
# grey level certainly.
_DARK, _BLACK = 0.25, 16
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
        shape: Height and width of drawn sheets.

    Raises:
        ConfigError: If there is nothing of any of these kinds.
    """

    dataset: Dataset
    kinds: tuple[Kind, ...]
    shape: tuple[int, int]

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
            return drawn(generator, self.shape, len(self.dataset.classes))
        choices, names = self._numbers[kind], self.dataset.names
        others = [number for number in choices if names[number] != without] or choices
        for number in generator.permutation(others).tolist():
            sheet = of_sample(self.dataset[number], kind, generator)
            if sheet is not None:
                return sheet
        msg = (
            f"the defects cover more than {MOST_CLEANED:.0%} of every training image, so none can "
            "be cleaned. Take '--sheets as-is', or 'drawn'"
        )
        raise SynthesisError(msg)

    @cached_property
    def _numbers(self) -> dict[Kind, list[int]]:
        """Numbers of the images that can become a sheet of each kind."""
        bad = self.dataset.defective()
        outlined = np.array([entry.masks is not None for entry in self.dataset.entries], np.bool_)
        defective = (bad & outlined).nonzero()[0].tolist()
        return {"clean": (~bad).nonzero()[0].tolist(), "cleaned": defective, "as-is": defective}


def choose_kinds(dataset: Dataset) -> tuple[Kind, ...]:
    """Choose the kinds of sheets that suit a data set.

    Clean images where there are any. Else images as they are: painting over
    leaves traces that a network could take for the mark of a clean surface.
    """
    if not dataset.defective().all():
        return ("clean",)
    return ("as-is",)


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


def cleaned(
    image: NDArray[np.uint8], defects: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Paint defects over with the sheet's own light and grain.

    The light is continued into the hole (``cv2.inpaint`` on a coarse picture),
    the grain is moved there from other places of the sheet.

    Args:
        image: uint8, shape ``(height, width, 1 or 3)``.
        defects: What to paint over, bool, shape ``(height, width)``.
        generator: Source of the places that the grain comes from.

    Returns:
        The image, as it was a few pixels away from the defects.
    """
    inside = with_rim(defects)
    if inside.all() or not inside.any():
        return image
    light = np.stack([_light(channel, inside) for channel in np.moveaxis(image, 2, 0)], axis=2)
    grain = _moved(image - light, inside, generator)
    filled = np.clip(np.rint(light + grain), 0, backgrounds.WHITE)
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)[..., None]
    weight = np.where(inside[..., None], np.maximum(weight, 0.5), 0)
    result = np.rint(image * (1 - weight) + filled * weight).astype(np.uint8)
    return np.asarray(result, np.uint8)


def with_rim(defects: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the pixels around defects that still show a little of them."""
    square = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    return np.asarray(cv2.dilate(defects.astype(np.uint8), square), np.bool_)


def _light(channel: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the smooth part of a channel, gone on with where the hole is."""
    known = (~inside).astype(np.float32)
    total = cv2.GaussianBlur(channel * known, (0, 0), _SIGMA)
    weight = cv2.GaussianBlur(known, (0, 0), _SIGMA)
    smooth = np.where(weight > 0.05, total / np.maximum(weight, 0.05), 0)
    far = (weight <= 0.05).astype(np.uint8)
    if far.any():
        coarse = np.clip(np.rint(smooth), 0, backgrounds.WHITE).astype(np.uint8)
        smooth = np.where(far > 0, cv2.inpaint(coarse, far, 3, cv2.INPAINT_TELEA), smooth)
        smooth = cv2.GaussianBlur(smooth.astype(np.float32), (0, 0), _SIGMA)
    return np.asarray(smooth, np.float32)


def _moved(
    detail: NDArray[np.float32], inside: NDArray[np.bool_], generator: np.random.Generator
) -> NDArray[np.float32]:
    """Fill a hole with detail from elsewhere: the image is shifted, and mirrored at its borders."""
    height, width = inside.shape
    result, open_ = detail.copy(), inside.copy()
    result[inside] = 0
    for _ in range(_SHIFTS):
        rows = _mirrored(np.arange(height) + generator.integers(height), height)
        columns = _mirrored(np.arange(width) + generator.integers(width), width)
        real = ~inside[np.ix_(rows, columns)] & open_
        result[real] = detail[np.ix_(rows, columns)][real]
        open_ &= ~real
    return result


def _mirrored(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Bring places back into ``0 .. size - 1``, as in a mirror at the border."""
    turned = places % (2 * size)
    return np.minimum(turned, 2 * size - 1 - turned)


def _apart(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Give each pixel that shows several classes to the first of them."""
    earlier = np.cumsum(masks, axis=0) - masks > 0
    return np.asarray(masks & ~earlier, np.bool_)
