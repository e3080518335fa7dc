"""The defect map: a picture (SVG) of a coil, its length from left to right.

Each defect is a box in the colour of its class, with its number, class, place
and image in a tooltip. Above lies how many defects there are, below the axis and
the legend. Rows of marks that come again are lined in black. Boxes keep an
outline of constant width, so that the smallest can be seen at any magnification.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from steel_defect_detection import drawing, wording
from steel_defect_detection.coil.layout import Coil
from steel_defect_detection.coil.recurrence import Recurrence
from steel_defect_detection.coil.units import Units

# Of the plot's own coordinates, whatever the coil is long and wide.
LENGTH = 10_000
WIDTH = 1_000

# In the units of the whole picture.
LEFT, RIGHT, TOP = 64, 48, 58
PLOT_WIDTH, PLOT_HEIGHT = 1_100, 220
_BAR_HEIGHT = 44
_BARS = 220
_LEGEND_STEP = 220
_LEGENDS_IN_A_ROW = 5
_MOST_LEGEND = 20
_MOST_NAME = 60
_LINE_HEIGHT = 13
# As many names of marks stand below each other beside the plot.
_MOST_LABELS = PLOT_HEIGHT // _LINE_HEIGHT + 1

# Width of the boxes' outlines, and of the stops of a row: thinner where they would hide each other.
_OUTLINE = 1.5
_MANY_DEFECTS = 1_500
_MANY_STOPS = 150

_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'

STYLE = (
    ".coil-map{font:12px sans-serif}.coil-map .plot *{vector-effect:non-scaling-stroke}"
    ".coil-map .frame{fill:none;stroke:#444}.coil-map .unread{fill:#ddd}"
    ".coil-map .found{fill:none;stroke:#111}.coil-map .bars{fill:#777}"
)
"""What a page says of the maps in it that bring no style of their own."""


def map_svg(coil: Coil, recurrences: Sequence[Recurrence] = (), *, with_style: bool = True) -> str:
    """Draw the defects of a coil.

    Args:
        coil: The coil.
        recurrences: Rows of marks to be lined.
        with_style: Whether it brings its style, and its namespace, along. Without
            them it can only stand in a page that has ``STYLE``.

    Returns:
        An ``<svg>`` element, which with its style is a file by itself.
    """
    units = Units(coil.mm_per_pixel)
    counts = np.bincount(coil.defects.class_number, minlength=len(coil.classes) + 1)[1:]
    shown = [number for number, count in enumerate(counts.tolist(), start=1) if count]
    rows = max(1, -(-len(shown) // _LEGENDS_IN_A_ROW))
    height = TOP + PLOT_HEIGHT + 46 + 20 * rows
    width = LEFT + PLOT_WIDTH + RIGHT
    parts = [
        f'<svg{_NAMESPACE if with_style else ""} class="coil-map" viewBox="0 0 {width} {height}" '
        f'role="img" data-length="{units.number(coil.length)}" data-unit="{units.name}" '
        f'font-family="sans-serif" font-size="12">',
        f"<title>Defects of a coil of {units.long(coil.length)}</title>",
        f"<style>{STYLE}</style>" if with_style else "",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *_bars(coil),
        *_plot(coil, recurrences, units),
        *_axes(coil, units),
        *_labels(coil, recurrences),
        *_legend(coil, shown, counts.tolist()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two others, at most so many.

    Example:
        >>> ticks(0, 1234, 6)
        [0.0, 250.0, 500.0, 750.0, 1000.0]
    """
    if high <= low:
        return []
    raw = (high - low) / most
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(float(power * one) for one in (1, 2, 2.5, 5, 10) if power * one >= raw * 0.999)
    first = np.ceil(low / step)
    return [float(step * number) for number in np.arange(first, np.floor(high / step) + 1)]


def spread(middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move lines of text apart, each as little as can be, so that none lies on another.

    Args:
        middles: Where they belong from the top of the picture down, beside the
            plot; no more than have room there.

    Returns:
        Where they are written: in the same order from the top, a line apart, within
        the height of the plot.

    Example:
        >>> spread(np.array([158.0, 100.0, 160.0])).tolist()
        [152.5, 100.0, 165.5]
    """
    if not len(middles):
        return middles
    order = np.argsort(middles, kind="stable")
    steps = _LINE_HEIGHT * np.arange(len(middles))
    # Without the steps, "a line apart" is "not falling".
    starts = isotonic_regression(middles[order] - steps).x
    spread_out = np.empty_like(middles)
    spread_out[order] = np.clip(starts, TOP, TOP + PLOT_HEIGHT - steps[-1]) + steps
    return spread_out


def _plot(coil: Coil, recurrences: Sequence[Recurrence], units: Units) -> Iterator[str]:
    yield (
        f'<svg class="plot" x="{LEFT}" y="{TOP}" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" '
        f'viewBox="0 0 {LENGTH} {WIDTH}" preserveAspectRatio="none">'
    )
    scale = LENGTH / (coil.length or 1.0)
    for begin, end in coil.unseen():
        size = _round((end - begin) * scale)
        yield (
            f'<rect class="unread" x="{_round(begin * scale)}" y="0" width="{size}" '
            f'height="{WIDTH}"><title>not read</title></rect>'
        )
    outline = _thin(_OUTLINE, len(coil.defects), _MANY_DEFECTS)
    for number in np.unique(coil.defects.class_number).tolist():
        color = "#{:02x}{:02x}{:02x}".format(*drawing.color(number))
        yield f'<g fill="{color}" stroke="{color}" stroke-width="{outline}">'
        yield from _boxes(coil, number, units)
        yield "</g>"
    for number, one in enumerate(recurrences, start=1):
        yield _line(coil, number, one)
    yield "</svg>"
    yield (
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}" '
        'fill="none" stroke="#444"/>'
    )


def _boxes(coil: Coil, class_number: int, units: Units) -> Iterator[str]:
    chosen = np.flatnonzero(coil.defects.class_number == class_number)
    defects = coil.defects.take(chosen)
    along, across = LENGTH / coil.length, WIDTH / coil.width
    name = _shown(coil.classes[class_number - 1])
    columns = (
        chosen.tolist(),
        ((defects.along - defects.along_size / 2) * along).tolist(),
        ((defects.across - defects.across_size / 2) * across).tolist(),
        (defects.along_size * along).tolist(),
        (defects.across_size * across).tolist(),
        defects.along.tolist(),
        defects.across.tolist(),
        [coil.images[image] for image in defects.image.tolist()],
    )
    for number, x, y, width, height, middle, beside, image in zip(*columns, strict=True):
        yield (
            f'<rect x="{x:.2f}" y="{y:.0f}" width="{width:.2f}" height="{height:.0f}"><title>'
            f"{number + 1}: {name}, {units.long(middle)}, {units.short(beside)}, "
            f"{_shown(PurePath(image).name)}</title></rect>"
        )


def _line(coil: Coil, number: int, one: Recurrence) -> str:
    scale = LENGTH / coil.length
    y = one.across * WIDTH / coil.width
    first, last = one.first * scale, one.last * scale
    stops = "".join(
        f"M{_round(place * scale)} {y - 25:.0f}v50"
        for place in coil.defects.along[one.members].tolist()
    )
    return (
        f'<g stroke-width="{_thin(1.0, len(one.members), _MANY_STOPS)}"><title>R{number}</title>'
        f'<path class="found" d="M{_round(first)} {y:.0f}H{_round(last)}{stops}"/></g>'
    )


def _thin(width: float, count: int, many: int) -> str:
    return _round(width * min(1.0, many / max(1, count)))


def _bars(coil: Coil) -> Iterator[str]:
    counts, _ = np.histogram(coil.defects.along, bins=_BARS, range=(0, coil.length or 1.0))
    most = max(1, int(counts.max(initial=0)))
    size = LENGTH / _BARS
    path = "".join(
        f"M{_round(place * size)} 100v-{100 * count / most:.1f}h{_round(size)}V100z"
        for place, count in enumerate(counts.tolist())
        if count
    )
    yield (
        f'<svg class="density" x="{LEFT}" y="{TOP - _BAR_HEIGHT - 4}" width="{PLOT_WIDTH}" '
        f'height="{_BAR_HEIGHT}" viewBox="0 0 {LENGTH} 100" preserveAspectRatio="none">'
        f'<path class="bars" fill="#777" d="{path}"/></svg>'
    )
    top = TOP - _BAR_HEIGHT + 6
    for y, text in ((top, str(most)), (top + _LINE_HEIGHT, "defects")):
        yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{text}</text>'


def _axes(coil: Coil, units: Units) -> Iterator[str]:
    # The page draws these anew when it is zoomed.
    base = TOP + PLOT_HEIGHT
    yield '<g class="ticks" text-anchor="middle">'
    metric = coil.mm_per_pixel is not None
    shown = units.number(coil.length) / (1000 if metric else 1)
    for place in ticks(0, shown, 8):
        x = LEFT + PLOT_WIDTH * place / shown
        yield f'<path d="M{_round(x)} {base}v5" stroke="#444"/>'
        yield f'<text x="{_round(x)}" y="{base + 18}">{place:,g}</text>'
    yield "</g>"
    word = "m" if metric else "px"
    middle = LEFT + PLOT_WIDTH // 2
    yield f'<text x="{middle}" y="{base + 34}" text-anchor="middle">along the coil, {word}</text>'
    width = units.number(coil.width)
    for place in ticks(0, width, 5):
        y = TOP + PLOT_HEIGHT * place / width
        yield f'<path d="M{LEFT} {_round(y)}h-5" stroke="#444"/>'
        yield f'<text x="{LEFT - 8}" y="{_round(y + 4)}" text-anchor="end">{place:,g}</text>'
    yield (
        f'<text transform="translate(14 {TOP + PLOT_HEIGHT // 2})rotate(-90)" '
        f'text-anchor="middle">across, {units.name}</text>'
    )


def _labels(coil: Coil, recurrences: Sequence[Recurrence]) -> Iterator[str]:
    """Names of the marks, the surest ones if there is no room for all; lines lead to them."""
    named = recurrences[:_MOST_LABELS]
    middles = np.array([TOP + PLOT_HEIGHT * one.across / coil.width for one in named])
    beside = LEFT + PLOT_WIDTH
    for number, (middle, y) in enumerate(zip(middles, spread(middles), strict=True), start=1):
        lead = f"M{beside} {_round(middle)}l14 {_round(y - middle)}"
        yield f'<path d="{lead}" fill="none" stroke="#777" stroke-width=".75"/>'
        yield f'<text x="{beside + 17}" y="{_round(y + 4)}">R{number}</text>'


def _legend(coil: Coil, shown: Sequence[int], counts: Sequence[int]) -> Iterator[str]:
    for place, number in enumerate(shown):
        x = LEFT + _LEGEND_STEP * (place % _LEGENDS_IN_A_ROW)
        y = TOP + PLOT_HEIGHT + 56 + 20 * (place // _LEGENDS_IN_A_ROW)
        color = "#{:02x}{:02x}{:02x}".format(*drawing.color(number))
        name = escape(wording.visible(coil.classes[number - 1])[:_MOST_LEGEND])
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{color}"/>'
        yield f'<text x="{x + 18}" y="{y}">{name}: {counts[number - 1]:,}</text>'


def _shown(name: str) -> str:
    short = name if len(name) <= _MOST_NAME else f"…{name[1 - _MOST_NAME :]}"
    return escape(wording.visible(short))


def _round(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
