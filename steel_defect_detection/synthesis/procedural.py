"""Strips drawn from geometry and noise, whose masks are therefore exact.

No real image is used. A clean surface is drawn first (``backgrounds``), then
defects are painted over it. A mask holds exactly the pixels that its painter
changed: outside the masks the image equals the strip drawn from the same seed
without defects, inside every pixel differs from it by at least
``VISIBLE_CHANGE`` grey levels, and on average by about 40 (pitting, patches) or
25 (creases, scratches). People who outline defects by hand draw wider.

The four classes have the numbers and the look of the Severstal competition,
which never named them: 1 pitting, 2 creases, 3 scratches and scuffs, 4 torn
patches.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.severstal import CLASSES, SHAPE
from steel_defect_detection.errors import ConfigError
from steel_defect_detection.sample import Sample
from steel_defect_detection.synthesis.backgrounds import (
    WHITE,
    Grey,
    as_grey,
    clouds,
    draw,
    noise,
    ragged,
    step,
)

SMALLEST_SIDE = 64
VISIBLE_CHANGE = 8
# Pixels a class covers at least where it was asked for, and how often a place is tried for that.
SMALLEST_AREA = 30
ATTEMPTS = 50
# Columns of steel from which on a strip may carry as many marks as a class ever has.
ROOM_FOR_MOST = 600

# What a painter returns: the grey levels it would like, and where.
Paint = tuple[Grey, NDArray[np.bool_]]


def draw_strip(
    *,
    seed: int,
    defects: Sequence[int | str] = (),
    surface: str | None = None,
    shape: tuple[int, int] = SHAPE,
) -> Sample:
    """Draw a strip of rolled steel with the defects asked for.

    The same arguments give the same pixels; the surface does not depend on the
    defects.

    Args:
        seed: Seed of everything random.
        defects: Classes to paint, as numbers (1 to 4) or names; none of them
            gives a clean strip. Where defects meet, a pixel belongs to the
            smaller class number.
        surface: One of ``backgrounds.SURFACES``; by default any of them.
        shape: Height and width in pixels, each at least 64.

    Returns:
        The strip with a mask for each of the four classes. Its image has three
        equal channels.

    Raises:
        ConfigError: If a class or surface does not exist, or the shape is too
            small for a strip or for so many classes.

    Example:
        >>> strip = draw_strip(seed=0, defects=[4], shape=(64, 128))
        >>> strip.labels.tolist()
        [False, False, False, True]
    """
    _check_shape(shape)
    numbers = sorted({_class_number(defect) for defect in defects})
    for_surface, for_defects = np.random.default_rng(seed).spawn(2)
    background = draw(for_surface, shape, surface)
    painted = background.grey.astype(np.float32)
    masks = np.zeros((len(CLASSES), *shape), np.bool_)
    for number in numbers:
        free = ~masks.any(axis=0) & _columns(shape, background.steel)
        values, region = _paint(number, painted, background.steel, free, for_defects)
        painted[region] = _visible(values[region], background.grey[region])
        masks[number - 1] = region
    image = np.repeat(painted.astype(np.uint8)[:, :, None], 3, axis=2)
    return Sample(name=f"strip-{seed}.png", image=image, classes=CLASSES, masks=masks)


def _check_shape(shape: tuple[int, int]) -> None:
    if min(shape) < SMALLEST_SIDE:
        msg = f"a strip needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, got shape {shape}"
        raise ConfigError(msg)


def _class_number(defect: int | str) -> int:
    if defect in CLASSES:
        return CLASSES.index(str(defect)) + 1
    if defect not in range(1, len(CLASSES) + 1):
        msg = f"expected defect classes 1 to 4 or {', '.join(CLASSES)}, got {defect!r}"
        raise ConfigError(msg)
    return int(defect)


def _columns(shape: tuple[int, int], extent: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of the columns from ``extent[0]`` up to ``extent[1]``."""
    columns = np.zeros(shape, np.bool_)
    columns[:, extent[0] : extent[1]] = True
    return columns


def _paint(
    number: int,
    grey: Grey,
    steel: tuple[int, int],
    free: NDArray[np.bool_],
    generator: np.random.Generator,
) -> Paint:
    """Paint one class where the strip is still free; on small strips look around for room."""
    for _ in range(ATTEMPTS):
        values, region = _PAINTERS[number - 1](grey, steel, generator)
        region &= free
        if np.count_nonzero(region) >= SMALLEST_AREA:
            return values, region
    msg = f"no room left for class {number}: ask for fewer classes or more than {free.shape} pixels"
    raise ConfigError(msg)


def _visible(values: Grey, clean: NDArray[np.uint8]) -> Grey:
    """Push grey levels at least ``VISIBLE_CHANGE`` away from the clean ones."""
    before = clean.astype(np.float32)
    change = np.rint(np.clip(values, 0, WHITE)) - before
    direction = np.where(change > 0, 1.0, -1.0)
    pushed = before + direction * np.maximum(np.abs(change), VISIBLE_CHANGE)
    inside = (pushed >= 0) & (pushed <= WHITE)
    return as_grey(np.where(inside, pushed, before - direction * VISIBLE_CHANGE))


def _paint_pitting(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint clusters of small dark pits, some with a bright lip and a smear below."""
    bodies, lips = np.zeros_like(grey), np.zeros_like(grey)
    for _ in range(_count(3, steel, generator)):
        centre = _place(grey, steel, generator)
        for _ in range(_count(11, steel, generator)):
            _add_pit(bodies, lips, _near(centre, steel, grey, generator), generator)
    shape = grey.shape
    body = ragged(bodies, generator, 5.0, 0.2)
    lip = ragged(lips, generator, 2.5, 0.25)
    floor = 0.4 + 0.13 * clouds(generator, shape, (12, 6))
    glint = generator.uniform(50, 140) * (1 + 0.3 * noise(generator, shape, (3, 3)))
    values = grey * (1 - _blurred(body, 0.8) * floor) + _blurred(lip, 0.6) * glint
    return as_grey(values), (body > 0.4) | (lip > 0.4)


def _add_pit(
    bodies: Grey, lips: Grey, centre: tuple[int, int], generator: np.random.Generator
) -> None:
    """Add one pit to the opacity maps of the dark bodies and of the bright lips."""
    half_width = round(min(3 + generator.exponential(2.2), 12))
    half_height = round(half_width * generator.uniform(1, 2.4))
    tilt = generator.uniform(-25, 25)
    cv2.ellipse(bodies, centre, (half_width, half_height), tilt, 0, 360, 1.0, -1)
    if generator.random() < 0.5:
        smear = (centre[0], centre[1] + half_height + int(generator.integers(4, 30)))
        cv2.line(bodies, centre, smear, 1.0, int(generator.integers(2, 5)))
    if generator.random() < 0.55:
        start = generator.uniform(0, 270)
        arc = (start, start + generator.uniform(60, 170))
        cv2.ellipse(lips, centre, (half_width, half_height), tilt, *arc, 1.0, 3)


def _paint_creases(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint a few short upright folds: a dark line with a lighter flank."""
    height = grey.shape[0]
    change, region = np.zeros_like(grey), np.zeros(grey.shape, np.bool_)
    column, _ = _place(grey, steel, generator)
    for _ in range(_count(3, steel, generator)):
        length = generator.uniform(0.25, 0.7) * height
        top = generator.uniform(-0.1, 0.9) * (height - length)
        here = np.clip(column + generator.normal(0, 28), steel[0] + 8, steel[1] - 8)
        distance = _from_line(grey, float(here), 2.5, generator)
        width = generator.uniform(1.5, 3.2)
        fade = _between(height, top, top + length, 25)
        fold = _profile(distance, width, generator) * generator.uniform(0.4, 0.6)
        change = _stronger(change, fold * fade)
        region |= (np.abs(distance) < 1.6 * width) & (fade > 0.2)
    return as_grey(grey * (1 + change)), region


def _paint_scratches(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint long streaks down the strip and scuffs that sparkle."""
    streaks, streaked = _streaks(grey, steel, generator)
    scuffs, scuffed = _scuffs(grey, steel, generator)
    kind = generator.choice(["streaks", "scuffs", "both"], p=[0.45, 0.2, 0.35])
    if kind == "streaks":
        return streaks, streaked
    if kind == "scuffs":
        return scuffs, scuffed
    return as_grey(np.where(scuffed, scuffs, streaks)), streaked | scuffed


def _streaks(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint streaks that start at the upper or lower border or run right through."""
    height, width = grey.shape
    change, region = np.zeros_like(grey), np.zeros(grey.shape, np.bool_)
    fibres = 1 + 0.3 * noise(generator, (height, width), (160, 2)).clip(-2, 2)
    for _ in range(_count(5, steel, generator)):
        column, _ = _place(grey, steel, generator)
        ends = np.sort(generator.uniform(-0.9, 1.9, 2)) * height
        distance = _from_line(grey, column, 0.8, generator)
        half_width = generator.uniform(2.0, 5.0)
        fade = _between(height, min(ends[0], 0.4 * height), max(ends[1], 0.6 * height), 40)
        streak = _profile(distance, half_width, generator) * generator.uniform(0.25, 0.5)
        change = _stronger(change, as_grey(streak * fade * fibres))
        region |= (np.abs(distance) < 1.6 * half_width) & (fade > 0.2)
    return as_grey(grey * (1 + change)), region


def _profile(distance: Grey, half_width: float, generator: np.random.Generator) -> Grey:
    """Cut through a line mark: -1 in its dark middle, slightly lighter than 0 on one flank."""
    side = generator.choice([-1, 1])
    lightness = generator.uniform(0.2, 0.5)
    change = np.zeros_like(distance)
    # Further away nothing is left of it in single precision.
    near = np.flatnonzero((np.abs(distance) < 6 * half_width).any(axis=0))
    if near.size:
        columns = slice(near[0], near[-1] + 1)
        across = distance[:, columns]
        core = np.exp(-((across / half_width) ** 4))
        flank = np.exp(-(((side * across - 1.4 * half_width) / (0.4 * half_width)) ** 2))
        change[:, columns] = lightness * flank - core
    return change


def _scuffs(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint small rubbed spots, a pale haze full of bright glints."""
    spots = np.zeros_like(grey)
    shape = grey.shape
    for _ in range(_count(3, steel, generator)):
        centre = _place(grey, steel, generator)
        axes = (int(generator.integers(6, 15)), int(generator.integers(12, 32)))
        cv2.ellipse(spots, centre, axes, generator.uniform(-15, 15), 0, 360, 1.0, -1)
    spot = ragged(spots, generator, 8.0, 0.2)
    glints = step(clouds(generator, shape, (9, 6), octaves=3), 0.5, 0.9)
    haze = 1.22 + 0.1 * noise(generator, shape, (5, 5))
    values = grey * haze + glints * generator.uniform(90, 170)
    return as_grey(values), spot > 0.5


def _paint_patches(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> Paint:
    """Paint large torn places: dark layers under each other, with sharp lit rims."""
    region = np.zeros(grey.shape, np.bool_)
    for _ in range(_count(3, steel, generator)):
        region |= _torn_outline(grey, steel, generator)
    layers = _torn_layers(grey, generator)
    rim = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 3)
    light = _lit(layers + 1.5 * np.exp(-rim / 2.0).astype(np.float32))
    shape = grey.shape
    rough = 0.1 * clouds(generator, shape, (16, 14), octaves=4)
    depth = generator.uniform(0.42, 0.6) + 0.1 * layers + rough
    bare = step(clouds(generator, shape, (40, 50), octaves=5), generator.uniform(1.3, 2.6), 0.2)
    bare_metal = generator.uniform(40, 130) * (1 + 2.5 * rough + 0.4 * light)
    values = grey * depth * (1 + 0.7 * light) + bare * bare_metal
    return as_grey(values), region


def _torn_outline(
    grey: Grey, steel: tuple[int, int], generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Return the mask of one ragged patch, without holes."""
    shape = grey.shape
    column, row = _place(grey, steel, generator)
    half_width = min(generator.uniform(30, 140), 0.3 * (steel[1] - steel[0]))
    half_height = min(generator.uniform(25, 85), 0.35 * shape[0])
    down = (np.arange(shape[0], dtype=np.float32)[:, None] - row) / half_height
    across = (np.arange(shape[1], dtype=np.float32) - column) / half_width
    across = across + generator.uniform(-0.6, 0.6) * down
    bulges = clouds(generator, shape, (60, 80), octaves=5)
    inside = np.hypot(across, down) + 0.36 * bulges < 0.9
    inside |= np.hypot(across, down) < 0.15
    _, components = cv2.connectedComponents(inside.astype(np.uint8))
    body = (components == components[row, column]).astype(np.uint8)
    outlines, _ = cv2.findContours(body, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(body, outlines, -1, 1, -1), np.bool_)


def _torn_layers(grey: Grey, generator: np.random.Generator) -> Grey:
    """Return a relief of flat layers, -1 to 1, that end in ragged edges."""
    shape = grey.shape
    heights = clouds(generator, shape, (60, 100), octaves=4)
    layers = [step(heights, threshold, 0.12) for threshold in (-0.8, 0.3, 1.3)]
    return as_grey(np.sum(layers, axis=0) * 2 / 3 - 1)


def _lit(heights: Grey) -> Grey:
    """Return how a relief is lit from below and a little from the left, -0.9 to 0.9."""
    down = cv2.Sobel(heights, cv2.CV_32F, 0, 1, ksize=3, scale=0.25)
    across = cv2.Sobel(heights, cv2.CV_32F, 1, 0, ksize=3, scale=0.25)
    return as_grey(np.clip(down - 0.4 * across, -0.9, 0.9))


def _count(most: int, steel: tuple[int, int], generator: np.random.Generator) -> int:
    """Choose how many marks to paint: up to ``most``, fewer on narrow strips."""
    room = (steel[1] - steel[0]) / ROOM_FOR_MOST
    return int(generator.integers(1, max(1, round(most * min(1.0, room))), endpoint=True))


def _place(grey: Grey, steel: tuple[int, int], generator: np.random.Generator) -> tuple[int, int]:
    """Choose the column and row of a defect, away from the borders of the strip."""
    margin = min(20, (steel[1] - steel[0]) // 4)
    column = int(generator.integers(steel[0] + margin, steel[1] - margin))
    return column, int(generator.integers(grey.shape[0] // 8, grey.shape[0] * 7 // 8))


def _near(
    centre: tuple[int, int],
    steel: tuple[int, int],
    grey: Grey,
    generator: np.random.Generator,
) -> tuple[int, int]:
    """Choose a place around another one."""
    column = np.clip(centre[0] + generator.normal(0, 60), steel[0] + 4, steel[1] - 5)
    row = np.clip(centre[1] + generator.normal(0, 40), 4, grey.shape[0] - 5)
    return int(column), int(row)


def _from_line(grey: Grey, column: float, sway: float, generator: np.random.Generator) -> Grey:
    """Return each pixel's signed distance, across, from an upright line that sways a little."""
    height, width = grey.shape
    path = column + sway * noise(generator, (height, 1), (90, 1))
    path = path + generator.uniform(-0.02, 0.02) * np.arange(height, dtype=np.float32)[:, None]
    return as_grey(np.arange(width, dtype=np.float32) - path)


def _between(height: int, top: float, bottom: float, softness: float) -> Grey:
    """Return an opacity per row: 1 between two rows, running out at both ends."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    return step(rows, top, softness) * step(-rows, -bottom, softness)


def _blurred(field: Grey, sigma: float) -> Grey:
    """Soften a field."""
    return as_grey(cv2.GaussianBlur(field, (0, 0), sigma))


def _stronger(one: Grey, other: Grey) -> Grey:
    """Return whichever of two changes is stronger, pixel by pixel."""
    return as_grey(np.where(np.abs(one) > np.abs(other), one, other))


_PAINTERS: tuple[Callable[[Grey, tuple[int, int], np.random.Generator], Paint], ...] = (
    _paint_pitting,
    _paint_creases,
    _paint_scratches,
    _paint_patches,
)
