"""Plots: bars, heat maps and sheets of pictures, drawn without a display.

They are built from matplotlib's objects. Its `pyplot` would keep every figure
alive and look for a screen.
"""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files

# Drawing is asked for late in a program if at all, and importing matplotlib takes half a second.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 100
_WIDTH_INCHES = 10.0
# Agg refuses pictures of 2^16 pixels: https://matplotlib.org/stable/users/explain/figure/backends.html
_MOST_INCHES = 600.0
_LONGEST_NAME = 40
# What fits above half the width of a figure.
_LONGEST_LINE = 64
# What fits above the whole width.
_LONGEST_TITLE = 120
# Twice the width of a sheet, so that it may be looked at enlarged.
_LONGEST_SIDE = 2000


class Bars(NamedTuple):
    """One group of bars.

    Args:
        title: What is counted.
        values: Length of each bar by its name.
    """

    title: str
    values: Mapping[str, float]


def bars(groups: Sequence[Bars]) -> "Figure":
    """Draw groups of horizontal bars, one below the other, each with its number.

    Args:
        groups: The bars; at least one group.
    """
    counts = [max(1, len(group.values)) for group in groups]
    figure = _figure(sum(0.35 * count + 0.9 for count in counts))
    grid: Any = figure.subplots(len(groups), 1, squeeze=False, height_ratios=counts)
    for axes, group in zip(grid[:, 0], groups, strict=True):
        drawn = axes.barh(range(len(group.values)), list(group.values.values()), color="#0072b2")
        axes.bar_label(drawn, labels=[f"{value:,}" for value in group.values.values()], padding=3)
        axes.set_yticks(range(len(group.values)), [plain(name) for name in group.values])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_title(plain(group.title), loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def heat_maps(maps: Mapping[str, NDArray[np.floating[Any]]], *, aspect: float) -> "Figure":
    """Draw where things lie, dark for nothing and bright for each map's highest value.

    Args:
        maps: What to draw by its name, each of shape ``(rows, columns)``; at
            least one.
        aspect: Height of the area shown by its width.
    """
    figure, grid = _grid(len(maps), aspect)
    for axes, (name, values) in zip(grid, maps.items(), strict=False):
        # An empty map stays dark: scaled to its own maximum, nothing would be bright.
        axes.imshow(values, cmap="viridis", vmin=0, vmax=float(values.max()) or 1)
        axes.set_aspect(aspect * values.shape[1] / values.shape[0])
        axes.set_title(plain(name), loc="left", fontsize="medium")
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def curves(
    panels: Mapping[str, Mapping[str, Sequence[float] | NDArray[np.floating[Any]]]],
) -> "Figure":
    """Draw values over epochs, one panel below the other.

    Args:
        panels: Values from the first epoch on, by name of the curve, by title
            of the panel; at least one. Values of shape ``(runs, epochs)`` are
            drawn as their mean, with a band of one standard deviation to either
            side; NaN stands for an epoch that a run did not reach.
    """
    figure = _figure(3.2 * len(panels))
    grid: Any = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
    for axes, (title, lines) in zip(grid[:, 0], panels.items(), strict=True):
        for name, values in lines.items():
            _curve(
                axes,
                plain(name, longest=_LONGEST_TITLE),
                np.atleast_2d(np.asarray(values, dtype=np.float64)),
            )
        axes.set_title(plain(title, longest=_LONGEST_TITLE), loc="left")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        # There is no half epoch.
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[-1, 0].set_xlabel("epoch")
    return figure


class Plot(NamedTuple):
    """Lines over a number.

    Args:
        title: What is shown.
        across: What the horizontal axis is.
        lines: Horizontal and vertical values by name; NaN leaves a gap.
        diagonal: Whether to draw where both are equal.
        mark: Horizontal place of a vertical line, if there is one.
    """

    title: str
    across: str
    lines: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]]
    diagonal: bool = False
    mark: float | None = None


def plots(panels: Sequence[Plot]) -> "Figure":
    """Draw lines over numbers, one panel below the other.

    Args:
        panels: At least one.
    """
    figure = _figure(3.4 * len(panels))
    grid: Any = figure.subplots(len(panels), 1, squeeze=False)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        if panel.diagonal:
            axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="as it should be")
        if panel.mark is not None:
            axes.axvline(panel.mark, color="#999999", linestyle=":", label="threshold")
        for name, (across, up) in panel.lines.items():
            axes.plot(across, up, marker="o", markersize=3, label=plain(name))
        axes.set_title(plain(panel.title), loc="left")
        axes.set_xlabel(plain(panel.across))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    return figure


def points(title: str, places: Mapping[str, NDArray[np.floating[Any]]]) -> "Figure":
    """Draw points on a plane, each group in a colour of its own.

    Args:
        title: What is shown.
        places: Points of shape ``(points, 2)``, to the right and up, by name of
            the group; at least one. From 21 groups on colours repeat.
    """
    from matplotlib import colormaps

    figure = _figure(_WIDTH_INCHES * 0.75)
    axes = figure.subplots()
    colours = colormaps["tab20" if len(places) > 10 else "tab10"].colors  # type: ignore[attr-defined]
    axes.set_prop_cycle(color=colours)
    for name, group in places.items():
        axes.plot(*group.T, linestyle="none", marker="o", markersize=3, label=plain(name))
    axes.set_title(plain(title, longest=_LONGEST_TITLE), loc="left")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _curve(axes: "Axes", name: str, values: NDArray[np.float64]) -> None:
    """Draw the mean of runs, shape ``(runs, epochs)``, and how far they spread."""
    epochs = range(1, values.shape[1] + 1)
    table = np.ma.masked_invalid(values)
    middle = table.mean(axis=0)
    (line,) = axes.plot(epochs, middle, marker="o", markersize=3, label=name)
    if len(values) > 1:
        # A single run that went on alone has no spread.
        spread = np.ma.filled(table.std(axis=0, ddof=1), 0.0)
        color = line.get_color()
        axes.fill_between(epochs, middle - spread, middle + spread, alpha=0.3, color=color)


def confusion(counts: NDArray[np.integer[Any]], names: Sequence[str]) -> "Figure":
    """Draw a confusion matrix: counts, coloured by their share of the row.

    Args:
        counts: Images by actual class (rows) and predicted class (columns),
            shape ``(classes, classes)``.
        names: Names of the classes.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = _figure(min(max(3.0, 0.7 * len(names) + 1.5), _WIDTH_INCHES))
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*counts.shape):
        dark = shares[row, column] > 0.5
        text = f"{counts[row, column]}\n{shares[row, column]:.0%}"
        axes.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    labels = [plain(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), labels)
    axes.set(xlabel="predicted", ylabel="actual")
    figure.colorbar(image, label="share of the actual class")
    return figure


def blocks(columns: Mapping[str, Sequence[str]]) -> "Figure":
    """Draw columns of boxes, each box leading to the one below.

    Args:
        columns: Texts of the boxes from top to bottom, by title; at least one.
    """
    longest = max(len(texts) for texts in columns.values())
    figure = _figure(0.32 * longest + 0.8)
    grid: Any = figure.subplots(1, len(columns), squeeze=False)
    for axes, (title, texts) in zip(grid[0], columns.items(), strict=True):
        for row, text in enumerate(texts):
            box = {"boxstyle": "round", "facecolor": "#e8f0f8", "edgecolor": "#0072b2"}
            axes.text(
                0.5, -row, text.replace("$", r"\$"), ha="center", va="center", size=6, bbox=box
            )
        axes.set(xlim=(0, 1), ylim=(-longest, 1))
        axes.set_title(plain(title), fontsize="medium")
        axes.axis("off")
    return figure


def sheet(
    pictures: Mapping[str, NDArray[np.uint8]], *, columns: int | None = None, title: str = ""
) -> "Figure":
    """Put pictures on one sheet, each under its name.

    Args:
        pictures: Red, green, blue, uint8, shape ``(height, width, 3)``, by
            name, which may have several lines; at least one.
        columns: Pictures beside each other; by default what suits their shape.
        title: What is shown, above all of them.
    """
    aspects = [picture.shape[0] / picture.shape[1] for picture in pictures.values()]
    lines = max(len(name.splitlines()) for name in pictures)
    figure, grid = _grid(
        len(pictures), float(np.median(aspects)), columns=columns, lines=max(lines, 1)
    )
    for axes, (name, picture) in zip(grid, pictures.items(), strict=False):
        axes.imshow(_at_most(picture, _LONGEST_SIDE), interpolation="lanczos")
        text = "\n".join(map(plain, name.splitlines()))
        axes.set_title(text, loc="left", fontsize="medium")
        axes.axis("off")
    if title:
        figure.suptitle(plain(title, longest=_LONGEST_TITLE))
    return figure


def explanation(
    picture: Mapping[str, NDArray[np.uint8]], attribution: Mapping[str, NDArray[np.floating[Any]]]
) -> "Figure":
    """Draw an image and what each of its pixels speaks for: red for, blue against.

    The colours end where one pixel in 200 goes further, so that a few extreme
    ones do not make all others pale.

    Args:
        picture: Red, green, blue, uint8, shape ``(height, width, 3)``, by name.
        attribution: Values of shape ``(height, width)``, by name. Names may have
            several lines.
    """
    ((name, pixels),) = picture.items()
    ((words, values),) = attribution.items()
    aspect = values.shape[0] / values.shape[1]
    lines = max(len(name.splitlines()), len(words.splitlines()))
    # Strips lie below each other.
    figure, (left, right) = _grid(2, aspect, columns=1 if aspect < 0.5 else 2, lines=lines)
    left.imshow(_at_most(pixels, _LONGEST_SIDE), interpolation="lanczos")
    # A map of zeros is white: it says nothing.
    limit = float(np.quantile(np.abs(values), 0.995)) or float(np.abs(values).max()) or 1.0
    drawn = right.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    figure.colorbar(drawn, ax=right, extend="both", fraction=0.04, label="against        for")
    for axes, text in ((left, name), (right, words)):
        title = "\n".join(plain(line, longest=_LONGEST_LINE) for line in text.splitlines())
        axes.set_title(title, loc="left", fontsize="medium")
        axes.axis("off")
    return figure


def write(path: Path | str, figure: "Figure") -> None:
    """Write a figure as PNG, completely or not at all.

    Args:
        path: File to write.
        figure: What to draw.

    Raises:
        ResultsError: If the file cannot be written there.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks becomes a box, which says enough.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", metadata={"Software": None})
    files.write_bytes(path, buffer.getvalue())


def plain(text: str, *, longest: int = _LONGEST_NAME) -> str:
    """Make a text safe to draw: short, printable, and no formula between dollar signs.

    Args:
        text: The text.
        longest: Letters that it keeps.
    """
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    printable = "".join(sign if sign.isprintable() else "?" for sign in short)
    return printable.replace("$", r"\$")


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    size = (_WIDTH_INCHES, min(height, _MOST_INCHES))
    return Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")


def _grid(
    count: int, aspect: float, *, columns: int | None = None, lines: int = 1
) -> "tuple[Figure, list[Axes]]":
    """Part a figure into so many places for pictures; strips get the whole width."""
    columns = columns or max(1, min(count, 4, round(3.2 * math.sqrt(aspect))))
    rows = math.ceil(count / columns)
    # Neither a hair nor a tower, whatever the pictures are.
    height = min(max(_WIDTH_INCHES / columns * aspect, 0.5), 12.0) + 0.3 + 0.2 * lines
    figure = _figure(rows * height)
    grid: Any = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel()[count:]:
        axes.axis("off")
    return figure, list(grid.ravel())


def _at_most(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
