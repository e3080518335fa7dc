"""Transplants: real defects, cut out and put on another sheet.

A patch is turned, mirrored and scaled a little, put where the sheet is free, and
blended in (``blending``). Its mask goes the same way, so it is as exact as the
donor's was; the class of the new image is the class of the patch.

Source: Ghiasi et al., "Simple copy-paste is a strong data augmentation method
for instance segmentation", 2021.
"""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.crops import Box
from steel_defect_detection.errors import ConfigError, SynthesisError
from steel_defect_detection.synthesis.blending import MARGIN, blend
from steel_defect_detection.synthesis.made import Made, Parameter
from steel_defect_detection.synthesis.patches import Patch, Patches
from steel_defect_detection.synthesis.sheets import Sheet, Sheets

# How often another place, and then another patch, is tried.
_PLACES = 30
_PATCHES = 10
# Share of the patch's pixels that must lie on free steel.
_LEAST_FREE = 0.98
# A patch takes at most this share of the sheet's height and width.
_LARGEST = 0.9
# Pixels that a defect goes on for beyond the border of its image, before it is turned.
_BEYOND = 64


class Handling(NamedTuple):
    """What is done to a patch before it is pasted.

    Args:
        rotation: Largest turn either way, in degrees. Rolled steel has a
            direction, so not too much.
        scale: Largest change of size, as a share: .25 is 1/1.25 to 1.25.
        flips: Whether patches are mirrored at random.
        most: Most patches on one image, at least one.
    """

    rotation: float = 10.0
    scale: float = 0.25
    flips: bool = True
    most: int = 2


_DEFAULT = Handling()


@dataclass(frozen=True, kw_only=True)
class Transplanter:
    """Makes images by putting real defects on other sheets.

    Args:
        patches: Where defects come from.
        sheets: Where they are put.
        how: What is done to them.

    Raises:
        ConfigError: If the handling makes no sense.
    """

    patches: Patches
    sheets: Sheets
    how: Handling = _DEFAULT
    way: str = field(default="transplant", init=False)

    def __post_init__(self) -> None:
        """Check the handling."""
        if not 0 <= self.how.rotation <= 180 or not 0 <= self.how.scale <= 3 or self.how.most < 1:
            msg = (
                "expected a rotation of 0 to 180 degrees, a change of scale of 0 to 3 and at "
                f"least one patch, got {self.how.rotation}, {self.how.scale} and {self.how.most}"
            )
            raise ConfigError(msg)

    def make(self, number: int, seed: int) -> Made:
        """Put defects of one class on a sheet.

        Args:
            number: Number of the class, from 1; 0 leaves the sheet as it is.
            seed: Seed of everything random.

        Raises:
            ConfigError: If there is no such defect to cut out.
            SynthesisError: If no patch finds room.
        """
        generator = np.random.default_rng(seed)
        if number == 0:
            return _made(self.sheets.pick(generator), [])
        for _ in range(_PATCHES):
            patch = self.patches.pick(number, generator)
            sheet = self.sheets.pick(generator, without=patch.source)
            pasted = paste(sheet, patch, number, generator, self.how)
            if pasted is not None:
                return self._with_more(pasted, number, generator)
        name = self.patches.dataset.classes[number - 1]
        msg = (
            f"no room found for {name!r} after {_PATCHES} attempts with other sheets and patches. "
            "Sheets with more free steel may help: --sheets clean, cleaned or drawn"
        )
        raise SynthesisError(msg)

    def _with_more(self, pasted: "Pasted", number: int, generator: np.random.Generator) -> Made:
        """Put a few more of the same class on the sheet, as far as there is room."""
        steps = [pasted.step]
        for _ in range(int(generator.integers(self.how.most))):
            patch = self.patches.pick(number, generator)
            more = paste(pasted.sheet, patch, number, generator, self.how)
            if more is not None:
                pasted = more
                steps.append(more.step)
        return _made(pasted.sheet, steps)


class Step(NamedTuple):
    """How one patch was pasted, for the manifest."""

    source: str
    box: Box
    top: int
    left: int
    angle: float
    scale: float
    mirrored: tuple[bool, bool]
    score: float | None


class Pasted(NamedTuple):
    """A sheet with one more defect, and how it came there."""

    sheet: Sheet
    step: Step


class _Turned(NamedTuple):
    """A patch after it was turned, mirrored and scaled."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    touches: tuple[bool, bool, bool, bool]


def paste(
    sheet: Sheet,
    patch: Patch,
    number: int,
    generator: np.random.Generator,
    how: Handling = _DEFAULT,
) -> Pasted | None:
    """Put a patch on a sheet.

    Args:
        sheet: Where to put it.
        patch: The defect.
        number: Number of its class, from 1.
        generator: Source of place, turn and size.
        how: What is done to it.

    Returns:
        The sheet with the defect on it; None where there is no room.
    """
    angle = float(generator.uniform(-how.rotation, how.rotation))
    scale = float(math.exp(generator.uniform(-1, 1) * math.log1p(how.scale)))
    flips = generator.integers(2, size=2).astype(bool) if how.flips else np.zeros(2, bool)
    mirrored = (bool(flips[0]), bool(flips[1]))
    height, width = patch.mask.shape
    room = (_LARGEST * sheet.free.shape[0] / height, _LARGEST * sheet.free.shape[1] / width)
    for runs_through, largest in zip(_spans(patch), room, strict=True):
        # What ran through its image from border to border may run through the sheet.
        scale = scale if runs_through else min(scale, largest)
    turned = _turn(patch, angle, scale, mirrored, sheet.image.shape[2])
    place = _place(turned, sheet.free, generator)
    if place is None:
        return None
    step = Step(patch.source, patch.box, *place, angle, scale, mirrored, patch.score)
    return Pasted(_blended(sheet, turned, place, number), step)


def _spans(patch: Patch) -> tuple[bool, bool]:
    """Tell whether a defect ran through its image from top to bottom, from left to right."""
    top, bottom, left, right = patch.touches
    return top and bottom, left and right


def _turn(
    patch: Patch, angle: float, scale: float, mirrored: tuple[bool, bool], channels: int
) -> _Turned:
    """Mirror a patch up-down and left-right, then turn and scale it."""
    image, mask, touches = patch.image, patch.mask, patch.touches
    for axis, is_mirrored in enumerate(mirrored):
        if is_mirrored:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
            first, second = 2 * axis, 2 * axis + 1
            order = list(touches)
            order[first], order[second] = order[second], order[first]
            touches = (order[0], order[1], order[2], order[3])
    if channels == 3 and image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    elif channels == 1 and image.shape[2] == 3:
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        image = np.asarray(grey, np.uint8)[..., None]
    height, width = mask.shape
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    size = (
        max(1, math.ceil(scale * (width * cosine + height * sine))),
        max(1, math.ceil(scale * (width * sine + height * cosine))),
    )
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    matrix[:, 2] += np.array(size) / 2 - 0.5 - np.array([(width - 1) / 2, (height - 1) / 2])
    pixels = cv2.warpAffine(
        np.ascontiguousarray(image),
        matrix,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    # What ran out of its image goes on beyond it: the rest of it is cut off by the sheet's border.
    top, bottom, left, right = (_BEYOND if touch else 0 for touch in touches)
    longer = cv2.copyMakeBorder(
        mask.astype(np.float32), top, bottom, left, right, cv2.BORDER_REPLICATE
    )
    matrix[:, 2] -= matrix[:, :2] @ np.array([left, top])
    opacity = cv2.warpAffine(longer, matrix, size, flags=cv2.INTER_LINEAR)
    return _Turned(
        np.asarray(pixels, np.uint8).reshape(*size[::-1], channels), opacity >= 0.5, touches
    )


def _place(
    turned: _Turned, free: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[int, int] | None:
    """Find a top and left where nearly all of the defect lies on free steel."""
    area = np.count_nonzero(turned.mask)
    if not area:
        return None
    size = turned.mask.shape
    for _ in range(_PLACES):
        top = _along(size[0], free.shape[0], turned.touches[:2], generator)
        left = _along(size[1], free.shape[1], turned.touches[2:], generator)
        mask, (rows, columns) = _visible(turned.mask, (top, left), free.shape)
        shown = np.count_nonzero(mask)
        if shown and np.count_nonzero(mask & free[rows, columns]) >= _LEAST_FREE * shown:
            return top, left
    return None


def _along(
    length: int, room: int, touches: tuple[bool, ...], generator: np.random.Generator
) -> int:
    """Choose a place along one axis; what touched a border of its image does so again."""
    first, last = touches
    # A turned patch has empty corners, which are pushed over the border.
    over = MARGIN // 2
    if first and last:
        return int(generator.integers(min(0, room - length), max(0, room - length) + 1))
    if first:
        return -over
    if last:
        return room - length + over
    # The margin around a defect may lie beyond the border, the defect itself not.
    low, high = -MARGIN, room - length + MARGIN
    return int(generator.integers(low, high + 1)) if high >= low else (room - length) // 2


def _visible(
    array: NDArray[np.bool_], place: tuple[int, int], shape: tuple[int, ...]
) -> tuple[NDArray[np.bool_], tuple[slice, slice]]:
    """Return the part of a pasted array that lies within the sheet, and where."""
    spans = []
    for start, length, room in zip(place, array.shape, shape, strict=True):
        spans.append((max(start, 0), max(start, 0, min(start + length, room))))
    (top, bottom), (left, right) = spans
    inner = array[top - place[0] : bottom - place[0], left - place[1] : right - place[1]]
    return inner, (slice(top, bottom), slice(left, right))


def _blended(sheet: Sheet, turned: _Turned, place: tuple[int, int], number: int) -> Sheet:
    """Blend the patch in, in a window around it, as wide as the patch."""
    shape = sheet.free.shape
    whole = np.ones(turned.mask.shape, np.bool_)
    _, window = _visible(whole, place, shape)
    inner = tuple(
        slice(span.start - start, span.stop - start)
        for span, start in zip(window, place, strict=True)
    )
    shown = turned.mask[inner] & sheet.free[window]
    image, masks, free = sheet.image.copy(), sheet.masks.copy(), sheet.free.copy()
    image[window] = blend(sheet.image[window], turned.image[inner], shown)
    masks[(number - 1, *window)] |= shown
    free[window] &= ~shown
    return replace(sheet, image=image, masks=masks, free=free)


def _made(sheet: Sheet, steps: list[Step]) -> Made:
    names = [step.source for step in steps]
    if sheet.source is not None:
        names.append(sheet.source)
    patches: list[Parameter] = [
        {
            "source": step.source,
            "box": list(step.box),
            "top": step.top,
            "left": step.left,
            "angle": round(step.angle, 2),
            "scale": round(step.scale, 3),
            "mirrored": list(step.mirrored),
            "score": None if step.score is None else round(step.score, 3),
        }
        for step in steps
    ]
    return Made(
        image=sheet.image,
        masks=sheet.masks,
        sources=tuple(dict.fromkeys(names)),
        parameters={"sheet": sheet.source, "sheet_kind": sheet.kind, "patches": patches},
    )
