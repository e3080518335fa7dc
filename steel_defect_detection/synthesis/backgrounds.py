"""Clean surfaces of rolled steel strip, drawn from noise.

A strip is lit unevenly, carries the marks of the rolls along its length (down
the image) and is grainy. On top of that lies what its surface is like, one of
``SURFACES``. None of it is a defect, although stains, chequers and above all
the glare of water look more striking than many defects do.

Lengths are pixels of the camera of the Severstal images, 1600 pixels across the
strip; a larger image shows more strip, not a larger one. Grey levels are
float32 from 0 to 255 until ``draw`` rounds them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from steel_defect_detection.errors import ConfigError

Grey = NDArray[np.float32]

WHITE = 255.0
BLACK_BEYOND_STRIP = 5.0
EDGE_PROBABILITY = 0.3
# Noise of one length is made on a grid of this many cells per length.
CELLS_PER_LENGTH = 3
OCTAVE_GAIN = 0.65


@dataclass(frozen=True, kw_only=True)
class Background:
    """A clean strip.

    Args:
        grey: Grey levels, uint8, shape ``(height, width)``.
        steel: First column of the strip and the first one past it.
    """

    grey: NDArray[np.uint8]
    steel: tuple[int, int]


def draw(
    generator: np.random.Generator, shape: tuple[int, int], surface: str | None = None
) -> Background:
    """Draw a clean strip.

    Args:
        generator: Source of everything random.
        shape: Height and width, in pixels.
        surface: One of ``SURFACES``; by default any of them.

    Returns:
        The strip and where it lies in the image.

    Raises:
        ConfigError: If there is no such surface.
    """
    name = str(generator.choice(list(SURFACES))) if surface is None else surface
    if name not in SURFACES:
        msg = f"expected a surface among {', '.join(SURFACES)}, got {surface!r}"
        raise ConfigError(msg)
    grey = SURFACES[name](_rolled_steel(generator, shape), generator)
    grey, steel = _cut_edge(grey, generator)
    sensor_noise = noise(generator, shape, (1.0, 1.6))
    grey = grey + 1.2 * sensor_noise
    return Background(grey=np.clip(np.rint(grey), 0, WHITE).astype(np.uint8), steel=steel)


def noise(
    generator: np.random.Generator, shape: tuple[int, int], lengths: tuple[float, float]
) -> Grey:
    """Make smooth noise of mean 0 and standard deviation 1.

    Args:
        generator: Source of the noise.
        shape: Height and width, in pixels.
        lengths: Size of its features down and across the image, in pixels.

    Returns:
        The noise, float32, shape ``(height, width)``.
    """
    cells = [max(1.0, length / CELLS_PER_LENGTH) for length in lengths]
    grid_shape = [math.ceil(size / cell) + 1 for size, cell in zip(shape, cells, strict=True)]
    grid = generator.standard_normal(grid_shape, dtype=np.float32)
    down, across = (_kernel(min(1.0, length / CELLS_PER_LENGTH)) for length in lengths)
    smooth = cv2.sepFilter2D(grid, cv2.CV_32F, across, down)
    return as_grey(cv2.resize(smooth, shape[::-1], interpolation=cv2.INTER_CUBIC))


def clouds(
    generator: np.random.Generator,
    shape: tuple[int, int],
    lengths: tuple[float, float],
    octaves: int = 4,
) -> Grey:
    """Make fractal noise: noise upon noise of half the size, mean 0, deviation 1.

    Args:
        generator: Source of the noise.
        shape: Height and width, in pixels.
        lengths: Size of the largest features down and across, in pixels.
        octaves: How many sizes are added up.

    Returns:
        The noise, float32, shape ``(height, width)``.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        down, across = (max(1.0, length / 2**octave) for length in lengths)
        total += OCTAVE_GAIN**octave * noise(generator, shape, (down, across))
    total /= math.sqrt(sum(OCTAVE_GAIN ** (2 * octave) for octave in range(octaves)))
    return total


def step(field: ArrayLike, threshold: float, softness: float) -> Grey:
    """Return an opacity: 0 below the threshold, 1 above it, and ``softness`` wide between."""
    return as_grey(np.clip((as_grey(field) - threshold) / softness + 0.5, 0, 1))


def ragged(shapes: Grey, generator: np.random.Generator, length: float, amount: float) -> Grey:
    """Roughen the outlines of shapes.

    Args:
        shapes: Opacity of smooth shapes, 0 to 1.
        generator: Source of the roughness.
        length: Size of the teeth, in pixels.
        amount: Depth of the teeth; at 1 hardly anything of the shapes is left.

    Returns:
        Opacity of the rough shapes, 0 to 1.
    """
    soft = as_grey(cv2.GaussianBlur(shapes, (0, 0), length / 2))
    teeth = noise(generator, shapes.shape, (length, length))
    return step(soft + amount * teeth * np.minimum(soft * 4, 1), 0.5, 0.15)


def as_grey(values: ArrayLike) -> Grey:
    """Return values as float32, whatever arithmetic or OpenCV made of them."""
    return np.asarray(values, np.float32)


def _rolled_steel(generator: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Draw the bare metal: light, roll marks and grain."""
    level = generator.uniform(72, 125)
    light = _light(generator, shape)
    bands = 0.03 * noise(generator, shape, (4000, 160)) + 0.013 * noise(generator, shape, (600, 22))
    lines = 0.01 * noise(generator, shape, (150, 3)) + 0.012 * noise(generator, shape, (28, 2))
    grain = generator.uniform(0.04, 0.06) * noise(generator, shape, (1.2, 2.2))
    mottle = 0.018 * clouds(generator, shape, (90, 40), octaves=5)
    grey = level * light * (1 + bands + lines) * (1 + grain + mottle)
    return _dust(_traces(as_grey(grey), generator), generator)


def _light(generator: np.random.Generator, shape: tuple[int, int]) -> Grey:
    """Return the light on the strip: uneven across, brighter to one end, darker in corners."""
    height, width = shape
    across = np.linspace(-1, 1, width, dtype=np.float32)
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    slow = 1 + 0.1 * noise(generator, shape, (3 * height, width / 2))
    centre, fall = generator.uniform(-0.6, 0.6), generator.uniform(0.02, 0.16)
    vignette = 1 - fall * (across - centre) ** 2
    light = slow * vignette * (1 + generator.uniform(-0.05, 0.28) * down)
    return as_grey(np.maximum(light, 0.2))


def _traces(grey: Grey, generator: np.random.Generator) -> Grey:
    """Leave what every strip has a little of: faint dried water, thin dark dashes."""
    shape = grey.shape
    where = noise(generator, shape, (400, 200))
    water = step(clouds(generator, shape, (150, 22)) + 0.6 * where, 1.0, 0.3)
    dashes = step(clouds(generator, shape, (34, 4), octaves=2) - 0.6 * where, 3.0, 0.8)
    traces = generator.uniform(0, 0.1) * water + generator.uniform(0, 0.35) * dashes
    return as_grey(grey * (1 - traces))


def _dust(grey: Grey, generator: np.random.Generator) -> Grey:
    """Scatter sparkling and black specks of one or two pixels, denser here than there."""
    shape = grey.shape
    density = 0.35 * noise(generator, shape, (200, 160)) + generator.uniform(-0.4, 0.5)
    specks = noise(generator, shape, (2.0, 2.6)) + density
    bright = step(specks, 3.3, 0.8) * generator.uniform(30, 110)
    pepper = step(-specks + 2 * density, 4.2, 0.6) * 0.45
    return as_grey(grey * (1 - pepper) + bright)


def _plain(grey: Grey, generator: np.random.Generator) -> Grey:
    """Leave the metal bare, but for one zone of other brightness with a wavy border."""
    height, width = grey.shape
    border = generator.uniform(0.15, 0.85) * width + 14 * noise(generator, (height, 1), (120, 1))
    side = generator.choice([-1, 1])
    beyond = np.clip(side * (np.arange(width, dtype=np.float32) - border) / 4, 0, 1)
    return as_grey(grey * (1 - generator.uniform(0.06, 0.18) * beyond))


def _stained(grey: Grey, generator: np.random.Generator) -> Grey:
    """Let water dry in streaks down the strip: dark, crisp, gathered in bands."""
    shape = grey.shape
    bands = noise(generator, shape, (1500, 170))
    rise = generator.uniform(-0.7, 0.7) * np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    streaks = clouds(generator, shape, (110, 13), octaves=4) + 0.9 * bands + rise
    threshold = generator.uniform(0.7, 1.3)
    stain = 0.6 * step(streaks, threshold, 0.16) + 0.4 * step(streaks, threshold + 0.6, 0.2)
    return as_grey(grey * (1 - generator.uniform(0.2, 0.4) * stain))


def _blotched(grey: Grey, generator: np.random.Generator) -> Grey:
    """Leave oxide in dark clouds with crumbly borders, smoother than the metal between."""
    shape = grey.shape
    bands = noise(generator, shape, (700, 220))
    field = clouds(generator, shape, (90, 70), octaves=6) + 0.7 * bands
    threshold = generator.uniform(0.2, 1.2)
    blotch = 0.7 * step(field, threshold, 0.35) + 0.3 * step(field, threshold + 0.7, 0.5)
    return as_grey(grey * (1 - generator.uniform(0.16, 0.34) * blotch))


def _scaled(grey: Grey, generator: np.random.Generator) -> Grey:
    """Cover the metal with fine ripples across and short dark dashes down the strip."""
    shape = grey.shape
    where = np.clip(0.6 + 0.6 * noise(generator, shape, (500, 260)), 0.1, 1.6)
    ripples = 0.06 * where * noise(generator, shape, (2.4, 8))
    dashes = clouds(generator, shape, (26, 5), octaves=3) + 0.8 * where
    dash = step(dashes, generator.uniform(2.6, 3.1), 0.5)
    return as_grey(grey * (1 + ripples) * (1 - generator.uniform(0.25, 0.45) * dash))


def _wet(grey: Grey, generator: np.random.Generator) -> Grey:
    """Mirror the lamp in splashed water: white drops in lanes down a plain strip."""
    height, width = grey.shape
    drops = np.zeros((height, width), np.float32)
    centre = generator.uniform(0.2, 0.8) * width
    for _ in range(generator.integers(3, 6)):
        _drop_lane(drops, round(centre + generator.normal(0, 55)), generator)
    _splash(drops, centre, generator)
    film = as_grey(cv2.GaussianBlur(drops, (0, 0), 22))
    mirror = ragged(drops, generator, 4.5, 0.16)
    grey = _plain(grey, generator) * (1 + 0.25 * film)
    return as_grey(grey + (WHITE - grey) * mirror)


def _drop_lane(drops: Grey, column: int, generator: np.random.Generator) -> None:
    """Add one lane of drops, some of them dry in the middle, to an opacity map."""
    for row in generator.uniform(0, drops.shape[0], generator.integers(3, 15)):
        centre = (column + round(generator.normal(0, 6)), round(row))
        half_width, half_height = int(generator.integers(3, 9)), int(generator.integers(4, 26))
        tilt = generator.uniform(-12, 12)
        cv2.ellipse(drops, centre, (half_width, half_height), tilt, 0, 360, 1.0, -1)
        if half_width > 5 and generator.random() < 0.6:
            hollow = (half_width // 2, half_height // 2)
            cv2.ellipse(drops, centre, hollow, tilt, 0, 360, 0.0, -1)


def _splash(drops: Grey, centre: float, generator: np.random.Generator) -> None:
    """Add droplets and thin spatters around the lanes to an opacity map."""
    for _ in range(generator.integers(40, 90)):
        column = round(centre + generator.normal(0, 75))
        row = int(generator.integers(0, drops.shape[0]))
        cv2.circle(drops, (column, row), int(generator.integers(1, 4)), 1.0, -1)
    for _ in range(generator.integers(5, 25)):
        column = round(centre + generator.normal(0, 220))
        row = int(generator.integers(0, drops.shape[0]))
        tip = (column + round(generator.normal(0, 7)), row + round(generator.normal(0, 7)))
        cv2.line(drops, (column, row), tip, 1.0, 2)


def _chequered(grey: Grey, generator: np.random.Generator) -> Grey:
    """Roll a relief into the strip: a lattice of ribs, or rows of lenses."""
    relief = _lattice if generator.random() < 0.5 else _lenses
    offset = generator.uniform(0, 100, 2)
    down, across = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
    shading = relief(down + offset[0], across + offset[1])
    shading = shading + 0.12 * (shading - 1) * noise(generator, shading.shape, (6, 6))
    smooth = 0.75 * as_grey(cv2.GaussianBlur(grey, (0, 0), 1.2)) + 0.25 * grey
    return np.clip(smooth * as_grey(cv2.GaussianBlur(shading, (0, 0), 0.8)), 0, WHITE)


def _lattice(down: Grey, across: Grey) -> Grey:
    """Shade two families of ribs that cross in tall diamonds; the ribs cover the grooves."""
    pitch, slope, half_width = 100.0, 0.41, 6.0
    bodies, grooves = [], []
    for lean in (-slope, slope):
        distance = (across + lean * down + pitch / 2) % pitch - pitch / 2
        bodies.append(step(half_width - np.abs(distance), 0, 3.0) * (1.08 - 0.03 * distance))
        dark_groove = 0.6 * np.exp(-(((distance - half_width - 2) / 2.4) ** 2))
        faint_groove = 0.38 * np.exp(-(((distance + half_width + 1) / 2.0) ** 2))
        grooves.append(dark_groove + faint_groove)
    body = np.maximum(bodies[0], bodies[1])
    knot = 0.12 * np.minimum(bodies[0], bodies[1])
    ground = 1 - np.maximum(grooves[0], grooves[1])
    covered = np.minimum(body, 1)
    return as_grey(ground * (1 - covered) + (body + knot) * covered)


def _lenses(down: Grey, across: Grey) -> Grey:
    """Shade rows of raised lenses that lean to the left and to the right in turn."""
    row_height, pitch, half_length, half_width = 72.0, 138.0, 39.0, 13.0
    row = np.floor(down / row_height)
    lean = np.where(row % 2 == 0, 1.0, -1.0) * math.sqrt(0.5)
    down = down % row_height - row_height / 2
    across = (across + (row % 2) * pitch / 2) % pitch - pitch / 2
    along, aside = across * math.sqrt(0.5) - down * lean, across * lean + down * math.sqrt(0.5)
    inside = half_width * (1 - (along / half_length) ** 2) - np.abs(aside)
    slant = np.clip(aside / half_width, -1, 1) * np.sign(lean)
    body = step(inside, 1.5, 3.0) * (0.25 + 0.55 * slant)
    rim = np.exp(-(((inside - 0.5) / 2.2) ** 2)) * (0.55 - 0.25 * slant)
    return as_grey(1 + body - rim)


def _cut_edge(grey: Grey, generator: np.random.Generator) -> tuple[Grey, tuple[int, int]]:
    """End the strip inside the image, now and then; beyond it all is black."""
    height, width = grey.shape
    hidden = generator.uniform(0.03, 0.3) * width
    mirrored = generator.random() < 0.5
    if generator.random() >= EDGE_PROBABILITY:
        return grey, (0, width)
    edge = hidden + 0.8 * noise(generator, (height, 1), (40, 1))
    inward = np.arange(width, dtype=np.float32) - edge
    flicker = 0.3 + 0.15 * noise(generator, (height, 1), (12, 1))
    rim = 1 - 0.4 * np.exp(-np.abs(inward) / 40) + flicker * np.exp(-np.abs(inward - 3) / 2)
    opacity = np.clip(inward, 0, 1)
    margin = math.ceil(hidden) + 8
    if mirrored:
        rim, opacity = rim[:, ::-1], opacity[:, ::-1]
    cut = grey * rim * opacity + BLACK_BEYOND_STRIP * (1 - opacity)
    return as_grey(cut), (0, width - margin) if mirrored else (margin, width)


def _kernel(sigma: float) -> Grey:
    """Return a Gaussian kernel that keeps the deviation of white noise at 1."""
    kernel = as_grey(cv2.getGaussianKernel(7, sigma, cv2.CV_32F))
    return as_grey(kernel / np.linalg.norm(kernel))


SURFACES: dict[str, Callable[[Grey, np.random.Generator], Grey]] = {
    "plain": _plain,
    "stained": _stained,
    "blotched": _blotched,
    "scaled": _scaled,
    "wet": _wet,
    "chequered": _chequered,
}
