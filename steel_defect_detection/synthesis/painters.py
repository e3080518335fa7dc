"""Defects painted onto any sheet, photographed or drawn, with masks that are exact.

The metal goes on below a painted defect: its light (the change is a share of
the brightness there), its grain (as strong and as sharp as beside the defect)
and its sharpness. How strongly a defect stands out is counted in units of the
noise around it, so that one difficulty is as hard on a rough sheet as on a
smooth one; where it is to look like real defects, as a share of the brightness.

A mask holds exactly the pixels that were changed: outside the image equals the
sheet, inside at least one channel of every pixel differs by ``VISIBLE_CHANGE``
grey levels or more.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.errors import ConfigError, MaskError
from steel_defect_detection.synthesis import grain, marks, plans
from steel_defect_detection.synthesis.backgrounds import WHITE, Grey, as_grey, noise
from steel_defect_detection.synthesis.grain import Grain
from steel_defect_detection.synthesis.looks import Look
from steel_defect_detection.synthesis.plans import Plan

KINDS = tuple(marks.FILLING)
SMALLEST_SIDE = 32
# Grey levels that a change has at least. Less would drown in the rounding of a JPEG file; more
# would give the soft edge of a stain a step that no camera sees.
VISIBLE_CHANGE = 4
# Pixels that a defect covers at least, how often a place is looked for, and at which sizes.
SMALLEST_AREA = 8
PLACES = 30
SHARES_OF_SIZE = (1.0, 0.6, 0.35, 0.2, 0.05)
# A place is good if so much of the mark lies on the sheet, and so much of that may be painted.
ON_SHEET, ON_FREE = 0.6, 0.9
# Where a mark is this strong it is there, and not only its soft edge.
CORE = 0.3
# Pixels around a mark that say how bright and how noisy the sheet is.
SURROUNDINGS = 16
# How much of the room down to black or up to white a defect may take.
MOST_OF_ROOM = 0.8
# A mark of which less than this share may be painted is not that mark any more.
LEAST_SHARE = 0.4
# Deviation in grey levels below which a surface counts as no smoother: cameras and JPEG round.
LEAST_NOISE = 1.0
# Changes below this share of the noise would be lost in it and are not made: masks stay tight.
LOST_IN_NOISE = 0.35
# The same as shares of the strongest change, for faint marks and for strong ones.
LOST_BESIDE_FAINT, LOST_BESIDE_STRONG = 0.4, 0.12
# Blur that drawing and turning a mark have given it, in pixels.
DRAWN_BLUR = 0.4
# No defect is painted blacker or whiter, unless the sheet itself is.
NEARLY_BLACK, NEARLY_WHITE = 6.0, 249.0
# Share of the metal's own texture that a defect hides.
HIDDEN = 0.6


@dataclass(frozen=True, kw_only=True)
class Painted:
    """A sheet with a painted defect.

    Args:
        image: Pixels, uint8, of the shape of the sheet.
        mask: Pixels that were changed, bool, shape ``(height, width)``.
        parameters: What was painted, numbers and words that JSON can hold:
            kind, difficulty, polarity, contrast as planned and its unit (the
            noise, or the brightness), length, width, angle and count of its pieces, row and column
            of its centre, area in pixels, the noise around it and the mean
            change, both in grey levels.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    parameters: dict[str, float | int | str]


def paint(
    sheet: NDArray[np.uint8],
    kind: str,
    generator: np.random.Generator,
    *,
    difficulty: float = 0.5,
    where: NDArray[np.bool_] | None = None,
    like: Look | None = None,
) -> Painted:
    """Paint one defect onto a sheet.

    The same arguments, with a generator in the same state, give the same
    pixels.

    Args:
        sheet: Pixels, uint8, shape ``(height, width, 1 or 3)``, at least 32
            pixels high and wide. It is not changed.
        kind: One of ``KINDS``.
        generator: Source of everything random.
        difficulty: 0 (bold and large) to 1 (faint and small).
        where: Pixels that may be painted, bool, shape ``(height, width)``; by
            default all.
        like: Look of real defects to follow in size, direction and contrast;
            at difficulty 0.5 they are met.

    Returns:
        The painted sheet, its mask and what was painted.

    Raises:
        ConfigError: If there is no such kind or difficulty, the sheet is too
            small, or there is no room where painting is allowed.
        ImageError: If the sheet is no image.
        MaskError: If ``where`` is no mask of the size of the sheet.

    Example:
        >>> sheet = np.full((64, 64, 1), 120, np.uint8)
        >>> painted = paint(sheet, "scratches", np.random.default_rng(0))
        >>> bool(np.array_equal(painted.mask, (painted.image != sheet).any(axis=2)))
        True
    """
    _check(sheet, kind, difficulty)
    free = _free(where, sheet.shape[:2])
    canvas = _canvas(sheet, free)
    plan = _planned(canvas, kind, generator, difficulty, like)
    for share in SHARES_OF_SIZE:
        tried = plans.smaller(plan, share) if share < 1 else plan
        mark = _softened(marks.draw(kind, tried.dimensions, generator), canvas.surface)
        window = _placed(mark, free, generator)
        painted = None if window is None else _painted(canvas, window, tried, generator)
        if painted is not None:
            return _described(painted, kind, tried, difficulty)
    msg = (
        f"no room for {kind}: of {free.size} pixels {np.count_nonzero(free)} may be painted, "
        "too few or too scattered. Allow more of the sheet in where"
    )
    raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class _Canvas:
    """A sheet and what was measured of it.

    Args:
        sheet: Its pixels.
        grey: Its brightness, shape ``(height, width)``.
        free: Pixels that may be painted.
        surface: Its grain.
    """

    sheet: NDArray[np.uint8]
    grey: Grey
    free: NDArray[np.bool_]
    surface: Grain


@dataclass(frozen=True, kw_only=True)
class _Window:
    """The part of a sheet around a mark.

    Args:
        rows: Rows of the sheet.
        columns: Columns of the sheet.
        mark: Opacity of the mark there.
    """

    rows: slice
    columns: slice
    mark: Grey


def _check(sheet: NDArray[np.uint8], kind: str, difficulty: float) -> None:
    images.check(sheet, "the sheet")
    if min(sheet.shape[:2]) < SMALLEST_SIDE:
        msg = (
            f"a sheet needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, "
            f"got shape {sheet.shape[:2]}"
        )
        raise ConfigError(msg)
    if kind not in KINDS:
        msg = f"expected a kind of defect among {', '.join(KINDS)}, got {kind!r}"
        raise ConfigError(msg)
    if not 0 <= difficulty <= 1:
        msg = f"difficulty must lie in [0, 1], got {difficulty}"
        raise ConfigError(msg)


def _free(where: NDArray[np.bool_] | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels that may be painted."""
    if where is None:
        return np.ones(shape, np.bool_)
    if where.dtype != np.bool_ or where.shape != shape:
        msg = (
            f"where: expected a bool mask of shape {shape} like the sheet, "
            f"got {where.dtype} of shape {where.shape}"
        )
        raise MaskError(msg)
    return where


def _canvas(sheet: NDArray[np.uint8], free: NDArray[np.bool_]) -> _Canvas:
    grey = as_grey(images.to_grey(sheet)[:, :, 0])
    return _Canvas(sheet=sheet, grey=grey, free=free, surface=grain.measure(grey))


def _planned(
    canvas: _Canvas,
    kind: str,
    generator: np.random.Generator,
    difficulty: float,
    like: Look | None,
) -> Plan:
    shape = canvas.free.shape
    if like is not None:
        return plans.plan_like(kind, shape, like, generator, difficulty=difficulty)
    return plans.plan(kind, shape, canvas.surface, generator, difficulty=difficulty)


def _softened(mark: Grey, surface: Grain) -> Grey:
    """Blur a mark as the sheet is blurred, but leave its strongest place at 1.

    Drawing and turning it has blurred it a little already.
    """
    sigma = math.sqrt(max(0.0, surface.blur**2 - DRAWN_BLUR**2))
    soft = cv2.GaussianBlur(mark, (0, 0), sigma) if sigma > 0.2 else mark
    return as_grey(soft / max(float(soft.max()), 0.01))


def _placed(mark: Grey, free: NDArray[np.bool_], generator: np.random.Generator) -> _Window | None:
    """Look for a place where most of a mark may be painted, the best of a few."""
    core = np.abs(mark) >= CORE
    area = np.count_nonzero(core)
    centres = np.flatnonzero(free)
    best, best_area = None, 0
    for _ in range(PLACES if len(centres) and area else 0):
        row, column = divmod(int(centres[generator.integers(len(centres))]), free.shape[1])
        top, left = row - mark.shape[0] // 2, column - mark.shape[1] // 2
        rows, inner_rows = _overlap(top, mark.shape[0], free.shape[0])
        columns, inner_columns = _overlap(left, mark.shape[1], free.shape[1])
        on_sheet = core[inner_rows, inner_columns]
        on_free = int(np.count_nonzero(on_sheet & free[rows, columns]))
        if on_free > best_area:
            best, best_area = (top, left), on_free
        if on_free >= max(ON_SHEET * area, ON_FREE * np.count_nonzero(on_sheet), 1):
            break
    # Rather a smaller mark than a mere corner of this one.
    if best is None or best_area < max(SMALLEST_AREA, LEAST_SHARE * area):
        return None
    return _window(mark, best, free.shape)


def _overlap(start: int, length: int, limit: int) -> tuple[slice, slice]:
    """Return which part of a sheet a mark covers along one side, and which part of the mark."""
    first, past = max(0, start), min(limit, start + length)
    return slice(first, past), slice(first - start, past - start)


def _window(mark: Grey, corner: tuple[int, int], shape: tuple[int, ...]) -> _Window:
    """Cut a mark at the borders of the sheet, and add its surroundings."""
    sides = []
    for start, length, limit in zip(corner, mark.shape, shape, strict=True):
        sides.append(_overlap(start - SURROUNDINGS, length + 2 * SURROUNDINGS, limit))
    (rows, inner_rows), (columns, inner_columns) = sides
    wide = np.pad(mark, SURROUNDINGS)
    return _Window(rows=rows, columns=columns, mark=as_grey(wide[inner_rows, inner_columns]))


def _painted(
    canvas: _Canvas, window: _Window, plan: Plan, generator: np.random.Generator
) -> Painted | None:
    """Paint a mark in its window, unless too little of it would show."""
    place = (window.rows, window.columns)
    grey, free = canvas.grey[place], canvas.free[place]
    level = grain.light(grey, free)
    strength = max(grain.noise_strength(grey, free), LEAST_NOISE)
    change, least = _change(level, np.where(free, window.mark, 0), plan, strength)
    region = np.abs(change) >= least
    values = level + change + _texture(grey - level, level, change, canvas.surface, generator)
    limits = (
        min(float(canvas.grey.min()), NEARLY_BLACK),
        max(float(canvas.grey.max()), NEARLY_WHITE),
    )
    target = _visible(values.clip(*limits), grey, change)
    before = canvas.sheet[place]
    after = np.where(region[:, :, None], _coloured(before, grey, target), before)
    changed = np.abs(after.astype(np.int16) - before).max(axis=2) >= VISIBLE_CHANGE
    if np.count_nonzero(changed) < SMALLEST_AREA:
        return None
    image, mask = canvas.sheet.copy(), np.zeros(canvas.free.shape, np.bool_)
    image[place] = np.where(changed[:, :, None], after, before)
    mask[place] = changed
    difference = float((target - grey)[changed].mean())
    return Painted(
        image=image,
        mask=mask,
        parameters={"noise": round(strength, 2), "mean_change": round(difference, 2)},
    )


def _change(level: Grey, mark: Grey, plan: Plan, strength: float) -> tuple[Grey, float]:
    """Return by how many grey levels the sheet is to change, and the least that is a change."""
    core = np.abs(mark) >= CORE
    usual = float(np.median(level[core])) if core.any() else float(level.mean())
    dark = plan.dark
    if MOST_OF_ROOM * (usual if dark else WHITE - usual) < 3 * VISIBLE_CHANGE:
        dark = not dark
    # The change is a share of the brightness.
    shares = as_grey(mark * (level + NEARLY_BLACK) / (usual + NEARLY_BLACK))
    mean_change = plan.contrast * (strength if plan.unit == "noise" else usual)
    highest = _highest(shares, mean_change, strength)
    wanted = highest * np.abs(shares)
    darker = (mark > 0) == dark
    room = MOST_OF_ROOM * np.maximum(np.where(darker, level, WHITE - level), 0.01)
    # Nearly all that is wanted, where there is room for it, and never more than the room.
    limited = wanted / np.sqrt(np.sqrt(1 + (wanted / room) ** 4))
    least = _least(float(limited.max()), strength)
    return as_grey(np.where(darker, -limited, limited)), least


def _highest(shares: Grey, mean_change: float, strength: float) -> float:
    """Return the change of full opacity by which the mask changes so much on average.

    How large the mask is depends on it in turn, so it is approached in steps.
    """
    body = shares[shares > 0.02]
    if not body.size:
        return mean_change
    highest = min(mean_change, WHITE)
    for _ in range(4):
        seen = body[body * highest >= _least(highest, strength)]
        highest = min(mean_change / float(seen.mean() if seen.size else body.max()), WHITE)
    # However faint it is meant to be, some of it shows.
    count = min(body.size, max(2 * SMALLEST_AREA, int(np.count_nonzero(body >= CORE)) // 2))
    faintest = float(np.partition(body, body.size - count)[body.size - count])
    return max(highest, 1.2 * VISIBLE_CHANGE / faintest)


def _least(highest: float, strength: float) -> float:
    """Return the least change that is made: what is lost in noise or glare is left alone."""
    lost = min(LOST_IN_NOISE * strength, LOST_BESIDE_FAINT * highest)
    return max(VISIBLE_CHANGE, lost, LOST_BESIDE_STRONG * highest)


def _texture(
    own: Grey, level: Grey, change: Grey, surface: Grain, generator: np.random.Generator
) -> Grey:
    """Return the grain below a defect: in part the sheet's own, in part some from beside it.

    Grain grows with the root of the brightness, as the noise of light does.
    Where the sheet is overexposed it has lost its grain, and gets it back.
    """
    deviation = float(own.std())
    other = own[::-1, ::-1].clip(-2.5 * deviation, 2.5 * deviation)
    hidden = HIDDEN * np.minimum(np.abs(change) / max(float(np.abs(change).max()), 1e-6), 1)
    mixed = ((1 - hidden) * own + hidden * other) / np.hypot(1 - hidden, hidden)
    root = np.sqrt(np.maximum(level + change, 1) / np.maximum(level, 1)).clip(0.6, 1.2)
    texture = mixed * root
    missing = math.sqrt(max(0.0, surface.noise**2 - deviation**2))
    if missing and level.max() > grain.OVEREXPOSED:
        fresh = noise(generator, own.shape, (3 * surface.blur, 3 * surface.blur))
        texture = texture + missing * fresh * ((level - grain.OVEREXPOSED) / 20).clip(0, 1)
    return as_grey(texture)


def _visible(values: Grey, before: Grey, change: Grey) -> Grey:
    """Move whole grey levels at least ``VISIBLE_CHANGE`` the way they were to change."""
    direction = np.where(change < 0, -1.0, 1.0)
    moved = before + direction * np.maximum(direction * (np.rint(values) - before), VISIBLE_CHANGE)
    inside = (moved > 0) & (moved < WHITE)
    return as_grey(np.where(inside, moved, before - direction * VISIBLE_CHANGE))


def _coloured(before: NDArray[np.uint8], grey: Grey, target: Grey) -> NDArray[np.uint8]:
    """Change the brightness of pixels, and not their hue."""
    ratio = (target / np.maximum(grey, 1))[:, :, None]
    # Black has no hue that could be kept.
    added = before + (target - grey)[:, :, None]
    values = np.where(grey[:, :, None] < VISIBLE_CHANGE, added, before * ratio)
    return np.rint(values).clip(0, WHITE).astype(np.uint8)


def _described(painted: Painted, kind: str, plan: Plan, difficulty: float) -> Painted:
    """Add what was planned to what was measured."""
    rows, columns = np.nonzero(painted.mask)
    parameters: dict[str, float | int | str] = {
        "kind": kind,
        "difficulty": difficulty,
        "polarity": "dark" if float(painted.parameters["mean_change"]) < 0 else "bright",
        "contrast": round(plan.contrast, 3),
        "contrast_unit": plan.unit,
        "length": round(plan.dimensions.length, 2),
        "width": round(plan.dimensions.width, 2),
        "angle_degrees": round(plan.dimensions.angle_degrees, 2),
        "count": plan.dimensions.count,
        "row": round(float(rows.mean()), 1),
        "column": round(float(columns.mean()), 1),
        "area": len(rows),
    }
    return replace(painted, parameters=parameters | painted.parameters)
