"""Shapes of defects, drawn from geometry and noise, without a sheet.

A mark is an opacity map, float32: 1 where the defect changes the metal most, 0
where it leaves it alone, and below 0 where it does the opposite, as the bright
lip of a dark pit. Every kind is drawn upright, with its length down the map,
and then turned.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.synthesis.backgrounds import Grey, as_grey, clouds, noise, step

# Outlines are drawn so many times larger and then averaged, which makes their edges soft.
ENLARGEMENT = 4
MARGIN = 4
# How many pixels of its length times width a shape of a kind fills.
FILLING = {
    "scratches": 0.7,
    "pits": 0.78,
    "inclusions": 0.6,
    "patches": 0.75,
    "cracks": 0.9,
    "rolled-in scale": 0.7,
}


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """How large a mark is.

    Args:
        length: Longer side of its largest piece, in pixels.
        width: Shorter side of its largest piece, in pixels.
        angle_degrees: Direction of the length, 0 across to the right, 90 down.
        count: Number of pieces.
    """

    length: float
    width: float
    angle_degrees: float
    count: int


def draw(kind: str, dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw the mark of a defect.

    Args:
        kind: One of ``FILLING``.
        dimensions: How large it is.
        generator: Source of everything random.

    Returns:
        The opacity map, just large enough for the mark, at most 1 everywhere.
    """
    upright = _DRAWINGS[kind](dimensions, generator)
    return _trimmed(_turned(upright, dimensions.angle_degrees - 90))


def _turned(upright: Grey, degrees: float) -> Grey:
    """Turn a map clockwise, on a map that is large enough for it."""
    if abs(degrees) < 0.5:
        return upright
    height, width = upright.shape
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    size = math.ceil(width * cosine + height * sine), math.ceil(width * sine + height * cosine)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return as_grey(cv2.warpAffine(upright, turn, size, flags=cv2.INTER_LINEAR))


def _trimmed(mark: Grey) -> Grey:
    """Cut empty rows and columns off, but for a margin into which a mark may be blurred."""
    rows, columns = (np.flatnonzero((np.abs(mark) > 0.02).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return mark
    mark = mark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return as_grey(np.pad(mark, MARGIN))


def _scratches(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw lines that are nearly parallel, a little bent, and broken here and there."""
    length, width = dimensions.length, max(dimensions.width, 1.0)
    sag = generator.normal(0, 0.02) * length
    offsets = np.cumsum(generator.exponential(3 * width + 3, dimensions.count))
    reach = 0.03 * length + 3 * width
    size = round(length) + 2 * MARGIN, math.ceil(offsets[-1] + 2 * reach + 2 * abs(sag))
    rows = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    bow = abs(sag) + reach - offsets[0] + sag * (rows**2)
    mark = np.zeros(size, np.float32)
    for number, offset in enumerate(offsets):
        path = bow + offset + 0.01 * length * noise(generator, (size[0], 1), (length / 1.5, 1))
        path = path + 0.25 * noise(generator, (size[0], 1), (5, 1))
        share = 1.0 if number == 0 else generator.uniform(0.25, 1)
        thickness = width if number == 0 else width * generator.uniform(0.3, 1)
        line = _line(as_grey(path), size, thickness, generator)
        mark = _stronger(mark, line * _stretch(rows, length, share, generator) * share**0.5)
    return mark


def _line(path: Grey, size: tuple[int, int], width: float, generator: np.random.Generator) -> Grey:
    """Draw a line down a map: a groove, half of them with a faint burr of the other sign."""
    distance = np.arange(size[1], dtype=np.float32) - path
    swelling = 1 + 0.25 * noise(generator, (size[0], 1), (max(4.0, size[0] / 5), 1))
    half = np.maximum(0.5 * width * swelling.clip(0.4, 2), 0.45)
    groove = np.exp(-(np.abs(distance / half) ** 2.5))
    side = generator.choice([-1, 1])
    burr = np.exp(-(((side * distance - 1.6 * half) / (0.5 * half)) ** 2))
    # A wide scratch is a bundle of fine ones.
    fibres = noise(generator, size, (max(8.0, size[0] / 4), max(1.5, width / 5)))
    groove = groove * (0.8 + min(0.35, 0.1 + 0.04 * width) * fibres).clip(0.1, 1)
    return as_grey(groove - max(0.0, generator.uniform(-0.3, 0.3)) * burr)


def _stretch(rows: Grey, length: float, share: float, generator: np.random.Generator) -> Grey:
    """Return how strong a line is down its length: it starts, ends, thins out and breaks off."""
    start = generator.uniform(-1, 1 - 2 * share) if share < 1 else -1.0
    ends = step(rows, start + 0.04, 0.08) * step(-rows, -(start + 2 * share) + 0.04, 0.08)
    waves = noise(generator, (len(rows), 1), (max(6.0, length * generator.uniform(0.1, 0.4)), 1))
    # Half of it is always there.
    waves -= np.median(waves)
    breaks = step(waves, -generator.uniform(0.3, 2.2), 0.8)
    return as_grey(ends * breaks * (0.8 + 0.2 * waves).clip(0.35, 1))


def _pits(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw a cluster of round hollows, each lit on the side that faces the lamp."""
    spread = 1.3 * dimensions.width * math.sqrt(dimensions.count - 1) * generator.uniform(0.6, 1.3)
    places = generator.normal(0, 1, (dimensions.count, 2)) * (spread * 1.4, spread)
    sizes = 0.3 + 0.7 * generator.beta(1.2, 2, dimensions.count)
    sizes[0] = 1
    outlines = [
        _outline(dimensions.length * size, dimensions.width * size, 0.35, 1.0, generator)
        for size in sizes
    ]
    depths = generator.uniform(0.6, 1, dimensions.count)
    body = _filled(outlines, places, depths)
    return _lit(body, max(1, round(dimensions.width / 6)), generator.uniform(0.2, 0.7), generator)


def _inclusions(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw slivers with pointed ends and ragged sides, one behind and beside the other."""
    length, width, count = dimensions.length, dimensions.width, dimensions.count
    sizes = np.sort(generator.uniform(0.3, 1, count))[::-1]
    sizes[0] = 1
    across = 1.6 * width * math.sqrt(count - 1) * generator.uniform(0.5, 1.6)
    spread = np.array([length * 0.5 * math.sqrt(count - 1), across])
    places = generator.normal(0, 1, (count, 2)).clip(-2, 2) * spread
    outlines = [_outline(length * size, width * size**0.5, 0.4, 1.7, generator) for size in sizes]
    body = _filled(outlines, places, generator.uniform(0.55, 1, count))
    fibres = 0.85 + 0.2 * noise(generator, body.shape, (max(3.0, length / 3), 2.0))
    return as_grey(body * fibres.clip(0.3, 1))


def _patches(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw large blotches, cloudy within, with edges that are sharp here and soft there."""
    length, width = dimensions.length, dimensions.width
    size = math.ceil(1.7 * length) + 2 * MARGIN, math.ceil(1.7 * width) + 2 * MARGIN
    down = (np.arange(size[0], dtype=np.float32)[:, None] - size[0] / 2) / (length / 2)
    across = (np.arange(size[1], dtype=np.float32) - size[1] / 2) / (width / 2)
    down, across = (
        down + generator.normal(0, 0.2) * across,
        across + generator.normal(0, 0.2) * down,
    )
    power = generator.uniform(2, 4)
    radius = (np.abs(down) ** power + np.abs(across) ** power) ** (1 / power)
    bulge = max(4.0, width / 2)
    lengths = (min(max(4.0, length / 2), 1.6 * bulge), bulge)
    field = 1 - radius + generator.uniform(0.12, 0.3) * clouds(generator, size, lengths, 5)
    softness = generator.uniform(0.08, 0.35) + 0.1 * noise(generator, size, lengths)
    body = np.clip(field / np.maximum(softness, 0.06) + 0.5, 0, 1) * step(1.6 - radius, 0.1, 0.2)
    cloudy = 0.8 + 0.15 * clouds(generator, size, lengths, 5)
    rim = generator.uniform(0, 0.35) * np.exp(-((field / 0.12 - 1) ** 2))
    return as_grey(body * np.clip(cloudy + rim, 0.35, 1.15) / 1.15)


def _cracks(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw jagged lines that part into branches and grow thin towards their ends."""
    walks: list[NDArray[np.float64]] = []
    for number in range(dimensions.count):
        length = dimensions.length * (1 if number == 0 else generator.uniform(0.3, 0.9))
        spread = dimensions.length * (0 if number == 0 else 0.35)
        trunk = _walk(length, 0.0, generator) - (length / 2, 0) + generator.normal(0, spread, 2)
        walks.append(trunk)
        for _ in range(generator.poisson(1.3)):
            fork = trunk[generator.integers(0, len(trunk))]
            turn = generator.choice([-1, 1]) * generator.uniform(0.4, 1.2)
            walks.append(fork + _walk(length * generator.uniform(0.1, 0.4), turn, generator))
    lowest = np.min([walk.min(axis=0) for walk in walks], axis=0) - MARGIN
    highest = np.max([walk.max(axis=0) for walk in walks], axis=0) + MARGIN
    canvas = _enlarged_canvas(highest - lowest)
    for walk in walks:
        _add_crack(canvas, walk - lowest, dimensions.width, generator)
    crack = _reduced(canvas)
    fading = 0.85 + 0.25 * noise(generator, crack.shape, (18, 18))
    return as_grey(crack * fading.clip(0.3, 1))


def _walk(length: float, heading: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the corners, rows and columns, of a jagged way from the origin.

    The heading is in radians, 0 down.
    """
    count = max(2, round(length / generator.uniform(2.5, 5)))
    wander = np.cumsum(generator.normal(0, 0.25, count)) * np.linspace(0, 1, count)
    headings = heading + wander.clip(-0.6, 0.6) + generator.normal(0, 0.55, count).clip(-1.1, 1.1)
    strides = generator.uniform(0.4, 1.6, count)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * strides[:, None]
    corners = np.cumsum(steps, axis=0)
    # As long as the crow flies, however jagged, and in the direction asked for.
    strayed = heading - math.atan2(corners[-1, 1], corners[-1, 0])
    sine, cosine = math.sin(strayed), math.cos(strayed)
    corners = corners @ np.array([[cosine, sine], [-sine, cosine]])
    reached = max(float(np.linalg.norm(corners[-1])), 0.3 * count)
    return np.vstack([np.zeros(2), corners * length / reached])


def _add_crack(
    canvas: NDArray[np.uint8],
    walk: NDArray[np.float64],
    width: float,
    generator: np.random.Generator,
) -> None:
    """Add one jagged line to an enlarged canvas, thickest near its start."""
    taper = np.linspace(1, 0.45, len(walk) - 1) * generator.uniform(0.7, 1.15, len(walk) - 1)
    corners = np.rint(walk[:, ::-1] * ENLARGEMENT).astype(int).tolist()
    for start, end, share in zip(corners[:-1], corners[1:], taper, strict=True):
        thickness = max(2, round(width * share * ENLARGEMENT))
        cv2.line(canvas, start, end, 255, thickness)


def _scale(dimensions: Dimensions, generator: np.random.Generator) -> Grey:
    """Draw a field of small flakes, gathered here and there, deep ones and faint ones."""
    length, width, count = dimensions.length, dimensions.width, dimensions.count
    spread = math.sqrt(length * width * count) * generator.uniform(0.8, 1.4)
    centres = generator.normal(0, 0.7 * spread, (max(1, count // 8), 2))
    chosen = centres[generator.integers(0, len(centres), count)]
    places = chosen + generator.normal(0, 0.5 * spread, (count, 2))
    sizes = generator.beta(1.5, 2.5, count) * 0.8 + 0.2
    sizes[0] = 1
    outlines = [_outline(length * size, width * size, 0.7, 1.1, generator) for size in sizes]
    body = _filled(outlines, places, generator.uniform(0.35, 1, count))
    return _lit(body, max(1, round(width / 5)), generator.uniform(0, 0.4), generator)


def _outline(
    length: float, width: float, roughness: float, point: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the corners, rows and columns, of one irregular piece around the origin.

    Args:
        length: Its size down, in pixels.
        width: Its size across, in pixels.
        roughness: Depth of its teeth and bulges, as a share of its width.
        point: 1 for an ellipse, more for pointed ends.
        generator: Source of its irregularity.

    Returns:
        Corners, shape ``(corners, 2)``.
    """
    turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    waves = np.arange(2, 12)[:, None]
    phases = generator.uniform(0, 2 * math.pi, waves.shape)
    bulges = (np.sin(waves * turns + phases) / waves**0.9).sum(axis=0)
    radius = np.clip(1 + roughness * bulges / 1.2, 0.3, 1.8)
    sideways = np.sign(np.sin(turns)) * np.abs(np.sin(turns)) ** point
    lean = generator.normal(0, 0.15) * np.cos(turns)
    across = width / 2 * (radius * sideways + lean)
    return np.stack([length / 2 * np.cos(turns) * radius**0.3, across], axis=1)


def _filled(
    outlines: list[NDArray[np.float64]], places: NDArray[np.float64], depths: NDArray[np.float64]
) -> Grey:
    """Fill outlines, each at its place and as deep as it is; where they meet, the deeper."""
    pieces = [outline + place for outline, place in zip(outlines, places, strict=True)]
    lowest = np.min([piece.min(axis=0) for piece in pieces], axis=0) - MARGIN
    highest = np.max([piece.max(axis=0) for piece in pieces], axis=0) + MARGIN
    canvas = _enlarged_canvas(highest - lowest)
    for number in np.argsort(depths):
        corners = np.rint((pieces[number] - lowest)[:, ::-1] * ENLARGEMENT).astype(np.int32)
        cv2.fillPoly(canvas, [corners], round(255 * depths[number] / depths.max()))
    return _reduced(canvas)


def _enlarged_canvas(size: NDArray[np.float64]) -> NDArray[np.uint8]:
    height, width = (math.ceil(side) * ENLARGEMENT for side in size)
    return np.zeros((height, width), np.uint8)


def _reduced(canvas: NDArray[np.uint8]) -> Grey:
    size = canvas.shape[1] // ENLARGEMENT, canvas.shape[0] // ENLARGEMENT
    return as_grey(as_grey(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)) / 255)


def _lit(body: Grey, shift: int, strength: float, generator: np.random.Generator) -> Grey:
    """Put a lip of the other sign beside a hollow, on the side that faces the lamp."""
    rows, columns = generator.choice([(-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)])
    beside = np.roll(body, (shift * rows, shift * columns), axis=(0, 1))
    glow = noise(generator, body.shape, (6, 6))
    lip = np.maximum(beside - 2 * body, 0) * step(glow, 0.2, 1.2)
    return as_grey(body - strength * lip)


def _stronger(one: Grey, other: Grey) -> Grey:
    """Return whichever of two opacities is stronger, pixel by pixel."""
    return as_grey(np.where(np.abs(one) > np.abs(other), one, other))


_DRAWINGS: dict[str, Callable[[Dimensions, np.random.Generator], Grey]] = {
    "scratches": _scratches,
    "pits": _pits,
    "inclusions": _inclusions,
    "patches": _patches,
    "cracks": _cracks,
    "rolled-in scale": _scale,
}
