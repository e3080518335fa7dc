"""Draw defects onto images: outlines in the colours of their classes, and names.

The outline runs just outside of a defect, so that the defect itself stays
visible. A dark rim around it keeps it apart from bright steel, its colour from
dark steel.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import images, masks

Color = tuple[int, int, int]

# Okabe and Ito's colours, which people with any kind of colour vision can tell apart, without
# their black: https://jfly.uni-koeln.de/color/. Red, green, blue.
COLORS: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)

CLEAN: Color = (160, 160, 160)
"""Colour of what is no defect."""

UNFAMILIAR: Color = (255, 255, 255)
"""Colour of what a model does not know."""

# More names than this hide more than they tell.
_MOST_LABELS = 20
_LONGEST_NAME = 40

_RIM: Color = (20, 20, 20)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def color(number: int) -> Color:
    """Give the colour of a class.

    Args:
        number: Number of the class, from 1; colours repeat after seven.

    Returns:
        Red, green, blue, 0 to 255.

    Example:
        >>> color(1), color(8)
        ((230, 159, 0), (230, 159, 0))
    """
    return COLORS[(number - 1) % len(COLORS)]


def overlay(
    image: NDArray[np.uint8], label_map: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """Outline and name the defects of an image.

    Args:
        image: Pixels, uint8, shape ``(height, width, 1 or 3)``; not changed.
        label_map: Class of each pixel, uint8, shape ``(height, width)``, 0
            where there is no defect.
        classes: Names of the classes; class 1 is the first.

    Returns:
        Red, green, blue, uint8, shape ``(height, width, 3)``. The largest
        defects bear the name of their class where there is room.

    Raises:
        ImageError: If the image is no such array.
        MaskError: If the label map has another shape or type, or names more
            classes.
    """
    images.check(image, "image")
    masks.check_label_map(label_map, len(classes), shape=image.shape[:2])
    picture = np.repeat(image, 3 // image.shape[2], axis=2)
    numbers = np.unique(label_map[label_map > 0]).tolist()
    if numbers:
        _draw_outlines(picture, label_map, numbers)
        _draw_names(picture, label_map, {number: classes[number - 1] for number in numbers})
    return picture


def caption(
    image: NDArray[np.uint8], name: str, probability: float, fill: Color
) -> NDArray[np.uint8]:
    """Write below an image what it shows, on a bar as long as that is probable.

    Args:
        image: Pixels, uint8, shape ``(height, width, 1 or 3)``; not changed.
        name: What it shows.
        probability: How probable that is, 0 to 1.
        fill: Colour of the bar, red, green, blue.

    Returns:
        Red, green, blue, uint8: the image, widened where the text needs it, and
        the bar below.

    Raises:
        ImageError: If the image is no such array.
    """
    images.check(image, "image")
    text = f"{_printable(name)} {100 * probability:.0f} %"
    scale = max(0.4, _thickness(image.shape[:2]) / 4)
    stroke, padding = max(1, round(scale)), 4
    (width, rise), baseline = cv2.getTextSize(text, _FONT, scale, stroke)
    height = rise + baseline + 2 * padding
    width = max(width + 2 * padding, image.shape[1])
    bar = np.full((height, width, 3), _RIM, dtype=np.uint8)
    bar[height - padding :, : round(width * probability)] = fill
    start = (padding, padding // 2 + rise)
    cv2.putText(bar, text, start, _FONT, scale, (255, 255, 255), stroke, cv2.LINE_AA)
    picture = np.repeat(image, 3 // image.shape[2], axis=2)
    missing = width - image.shape[1]
    return np.concatenate([np.pad(picture, ((0, 0), (0, missing), (0, 0))), bar])


class _Region(NamedTuple):
    """One connected defect: its pixels, its class and the box around it."""

    area: int
    number: int
    left: int
    top: int
    width: int
    height: int


class _Label(NamedTuple):
    """A text and what it takes to draw it, in pixels."""

    text: str
    scale: float
    stroke: int
    padding: int
    width: int
    height: int
    baseline: int


def _thickness(shape: tuple[int, ...]) -> int:
    # 2 pixels on a strip image of 256 rows. Larger images are looked at smaller, though not as
    # much smaller as they are larger: hence the root.
    return max(1, round(float(np.sqrt(min(shape) / 64))))


def _draw_outlines(
    picture: NDArray[np.uint8], label_map: NDArray[np.uint8], numbers: Sequence[int]
) -> None:
    thickness = _thickness(label_map.shape)
    defects = label_map > 0
    # The rims of all come first, so that none of them covers a neighbour's colour.
    picture[_grown(defects, thickness + max(1, thickness // 2)) & ~defects] = _RIM
    for number in numbers:
        defect = label_map == number
        picture[_grown(defect, thickness) & ~defects] = color(number)
        # Where two classes touch there is no outside: each yields half a line to the other.
        picture[_grown(defect, max(1, thickness // 2)) & defects & ~defect] = color(number)


def _grown(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    side = 2 * distance + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(np.bool_)


def _draw_names(
    picture: NDArray[np.uint8], label_map: NDArray[np.uint8], names: dict[int, str]
) -> None:
    gap = 2 * _thickness(label_map.shape)
    labels = {number: _label(name, label_map.shape) for number, name in names.items()}
    taken = np.zeros(label_map.shape, dtype=np.bool_)
    regions = [region for number in names for region in _regions(label_map, number)]
    for region in sorted(regions, reverse=True)[:_MOST_LABELS]:
        label = labels[region.number]
        boxes = [box for box in _boxes(region, label, gap, label_map.shape) if not taken[box].any()]
        if label.text and boxes:
            box = min(boxes, key=lambda box: np.count_nonzero(label_map[box]))
            taken[box] = True
            _draw_label(picture[box], label, color(region.number))


def _regions(label_map: NDArray[np.uint8], number: int) -> Iterator[_Region]:
    mask = (label_map == number).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    # The first box is the background's.
    for left, top, width, height, area in boxes[1:].tolist():
        yield _Region(area, number, left, top, width, height)


def _label(name: str, shape: tuple[int, ...]) -> _Label:
    """Measure a name, cut to fit the picture; without text if there is no room."""
    thickness = _thickness(shape)
    scale, stroke, padding = max(0.4, thickness / 4), max(1, thickness // 2), 2 + thickness // 2
    text = _printable(name)
    (_, rise), baseline = cv2.getTextSize("Ag", _FONT, scale, stroke)
    height = rise + baseline + 2 * padding
    while text:
        width = cv2.getTextSize(text, _FONT, scale, stroke)[0][0] + 2 * padding
        # On a picture lower than three lines of text a name would hide what it names.
        if width <= shape[1] and 3 * height <= shape[0]:
            return _Label(text, scale, stroke, padding, width, height, baseline)
        text = text[:-1]
    return _Label("", scale, stroke, padding, 0, 0, 0)


def _printable(name: str) -> str:
    """A name that OpenCV can draw: lone surrogates, as of broken files' names, crash it."""
    return "".join(sign if sign.isprintable() else "?" for sign in name[:_LONGEST_NAME])


def _boxes(
    region: _Region, label: _Label, gap: int, shape: tuple[int, ...]
) -> Iterator[tuple[slice, slice]]:
    """Give the rows and columns where a label could lie, best first, inside the picture."""
    left, top = region.left, region.top
    right, bottom = left + region.width, top + region.height
    for x, y in (
        (left, top - gap - label.height),
        (left, bottom + gap),
        (right + gap, top),
        (left - gap - label.width, top),
        (left + gap, top + gap),
    ):
        column = min(max(x, 0), shape[1] - label.width)
        row = min(max(y, 0), shape[0] - label.height)
        yield slice(row, row + label.height), slice(column, column + label.width)


def _draw_label(box: NDArray[np.uint8], label: _Label, fill: Color) -> None:
    box[:] = fill
    # Contrast is best with black above this relative luminance:
    # https://www.w3.org/TR/WCAG20/#relativeluminancedef
    luminance = np.dot((np.array(fill) / 255) ** 2.2, (0.2126, 0.7152, 0.0722))
    ink = (0, 0, 0) if luminance > 0.179 else (255, 255, 255)
    start = (label.padding, label.height - label.padding - label.baseline)
    # OpenCV draws on arrays that lie in one piece, which a part of a picture does not.
    drawn = np.ascontiguousarray(box)
    cv2.putText(drawn, label.text, start, _FONT, label.scale, ink, label.stroke, cv2.LINE_AA)
    box[:] = drawn
