r"""Results of ``sdd-predict``, read back for a report.

Whatever is missing is left out: masks and overlays that nobody kept, numbers
that a model does not give, images that were not reached.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import drawing, images, masks
from steel_defect_detection.errors import ImageError, MaskError, ResultsError
from steel_defect_detection.results import name_all, read_images

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("decode", "gate", "segment")
"""What takes time, in this order."""

_SCORE, _AREA = "score_", "area_"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One image and what was said of it; NaN stands for what is not known.

    Args:
        file: The image, as it was named.
        name: What to call it: its file's name, or all of it where names repeat.
        verdict: The verdict.
        class_name: The foremost class; empty for none.
        gate_probability: Probability of any defect.
        certainty: Probability that the verdict is right.
        familiarity: How much it resembles what the model knows.
        scores: Probability of each class.
        areas: Pixels of each class.
        pixels: Pixels of the whole image.
        milliseconds: Time of each stage, by its name.
        error: What went wrong; empty for nothing.
        mask: Its mask, if there is one.
        overlay: Its overlay, if there is one.
    """

    file: str
    name: str
    verdict: str
    class_name: str
    gate_probability: float
    certainty: float
    familiarity: float
    scores: tuple[float, ...]
    areas: tuple[float, ...]
    pixels: float
    milliseconds: Mapping[str, float]
    error: str
    mask: Path | None
    overlay: Path | None

    @property
    def area(self) -> float:
        """Pixels of all defects; NaN where nothing outlines defects."""
        known = [area for area in self.areas if math.isfinite(area)]
        return math.fsum(known) if known else math.nan

    @property
    def share(self) -> float:
        """Share of the image that is defective."""
        return self.area / self.pixels

    @property
    def score(self) -> float:
        """Probability of any defect, as far as it is known."""
        known = [self.gate_probability, *self.scores]
        return next((value for value in known if math.isfinite(value)), 0.0)

    @property
    def badness(self) -> tuple[float, float]:
        """What puts the worst first: share, then probability."""
        return (0.0 if math.isnan(self.share) else self.share), self.score


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlined:
    """What a mask holds of each class.

    Args:
        areas: Pixels, int64, shape ``(classes,)``.
        pieces: Connected defects, int64, shape ``(classes,)``.
    """

    areas: NDArray[np.int64]
    pieces: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results folder.

    Args:
        folder: The folder.
        classes: Names of the classes.
        images: What was judged, in order.
        run: What ``run.json`` says, ``{}`` if there is none.
    """

    folder: Path
    classes: tuple[str, ...]
    images: tuple[Judged, ...]
    run: Mapping[str, Any]

    def about(self, *names: str) -> Any:
        """What ``run.json`` says under names within each other; None if nothing."""
        found: Any = self.run
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def threshold(self, name: str) -> float:
        """A threshold of ``run.json``; NaN if there is none between 0 and 1."""
        value = self.about("thresholds", name)
        is_one = isinstance(value, int | float) and 0 <= value <= 1
        return float(value) if is_one else math.nan

    def color(self, number: int) -> drawing.Color:
        """Colour of a class, numbered from 0, as in overlays."""
        return drawing.color(number + 1)


def read(folder: Path) -> Results:
    """Read a results folder.

    Args:
        folder: The folder.

    Raises:
        ResultsError: If its table cannot be read, or no image is finished.
    """
    if not (folder / "images.csv").is_file():
        msg = (
            f"{str(folder)!r} holds run.json and no images.csv: no image is finished. "
            "Run sdd-predict again, with --resume"
        )
        raise ResultsError(msg)
    table = read_images(folder)
    classes = tuple(
        str(name).removeprefix(_SCORE) for name in table if str(name).startswith(_SCORE)
    )
    return Results(
        folder=folder,
        classes=classes,
        images=tuple(_images(folder, table, classes)),
        run=_run(folder / "run.json"),
    )


def picture(results: Results, image: Judged) -> NDArray[np.uint8] | None:
    """Read or draw an image with its defects outlined.

    Args:
        results: The folder.
        image: The image.

    Returns:
        Red, green, blue, uint8, shape ``(height, width, 3)``: the overlay, or
        one drawn now if the image is still where it was; None if neither is there.

    Raises:
        ImageError: If a file that is there cannot be read.
        MaskError: If the mask fits neither image nor classes.
    """
    if image.overlay is not None:
        return images.read(image.overlay)
    original = _existing(Path(), image.file)
    if image.mask is None or original is None or original.suffix.lower() not in images.EXTENSIONS:
        return None
    return drawing.overlay(images.read(original), label_map(image.mask), results.classes)


def label_map(mask: Path) -> NDArray[np.uint8]:
    """Read a mask: class of each pixel, uint8, shape ``(height, width)``.

    Raises:
        ImageError: If it cannot be read.
    """
    return images.read(mask, grey=True)[..., 0]


def outlined(results: Results, image: Judged) -> Outlined | None:
    """Count the pixels and the connected defects of each class.

    Args:
        results: The folder.
        image: The image.

    Returns:
        Both; None if its mask is not there.

    Raises:
        ImageError: If the mask cannot be read.
        MaskError: If it names other classes.
    """
    if image.mask is None:
        return None
    labels, count = label_map(image.mask), len(results.classes)
    areas, pieces = masks.areas(labels, count), np.zeros(count, dtype=np.int64)
    for number in np.flatnonzero(areas) + 1:
        found, _ = cv2.connectedComponents((labels == number).astype(np.uint8), connectivity=8)
        pieces[number - 1] = found - 1
    return Outlined(areas=areas, pieces=pieces)


def last_part(file: str) -> str:
    """Name of a file without its folder, on whichever system it was judged.

    Args:
        file: The image, as ``images.csv`` names it.
    """
    return _path(file).name or file


def _run(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _images(folder: Path, table: "pd.DataFrame", classes: Sequence[str]) -> Iterator[Judged]:
    texts = {name: _texts(table[name]) for name in ("file", "mask", "verdict", "class", "error")}
    numbers = {name: _numbers(table, name) for name in map(str, table) if name not in texts}
    names = _names(texts["file"])
    overlays = _overlays(folder, texts["file"], texts["mask"])
    for row, file in enumerate(texts["file"]):
        mask = _mask(folder, texts["mask"][row])
        yield Judged(
            file=file,
            name=names[row],
            verdict=texts["verdict"][row],
            class_name=texts["class"][row],
            gate_probability=numbers["gate_probability"][row],
            certainty=numbers["certainty"][row],
            familiarity=numbers["familiarity"][row],
            scores=tuple(numbers[_SCORE + name][row] for name in classes),
            areas=tuple(numbers.get(_AREA + name, {}).get(row, math.nan) for name in classes),
            pixels=_pixels(mask or overlays[row]),
            milliseconds={stage: numbers[f"{stage}_ms"][row] for stage in STAGES},
            error=texts["error"][row],
            mask=mask,
            overlay=overlays[row],
        )


def _texts(column: "pd.Series[Any]") -> list[str]:
    return ["" if isinstance(cell, float) else str(cell) for cell in column]


def _numbers(table: "pd.DataFrame", name: str) -> dict[int, float]:
    """Numbers of a column by row; NaN for what is none."""
    import pandas as pd

    cells = pd.to_numeric(table[name], errors="coerce").astype(np.float64).tolist()
    return {row: cell if math.isfinite(cell) else math.nan for row, cell in enumerate(cells)}


def _names(files: Sequence[str]) -> list[str]:
    short = [last_part(file) for file in files]
    repeated = {name for name, count in Counter(short).items() if count > 1}
    return [file if name in repeated else name for file, name in zip(files, short, strict=True)]


def _path(file: str) -> PurePath:
    """A path as the system wrote it on which the images were judged."""
    is_windows = re.match(r"[A-Za-z]:\\|\\\\", file) is not None
    return PureWindowsPath(file) if is_windows else PurePosixPath(file)


def _mask(folder: Path, cell: str) -> Path | None:
    """The mask of a row, and never a file outside of the folder."""
    return _existing(folder / "masks", _path(cell).name) if cell else None


def _overlays(folder: Path, files: Sequence[str], cells: Sequence[str]) -> list[Path | None]:
    """The overlays of all rows; classifiers leave no masks to name them after."""
    stems = [names.stem for names in name_all([Path(_raw(file)) for file in files])]
    named = [
        _path(cell).name if cell else f"{stem}.png" for cell, stem in zip(cells, stems, strict=True)
    ]
    return [_existing(folder / "overlays", name) for name in named]


def _existing(folder: Path, name: str) -> Path | None:
    r"""A file by its name, also where that has bytes that are no text, written as \udcff."""
    for path in (folder / name, folder / _raw(name)):
        try:
            if name and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def _raw(name: str) -> str:
    return re.sub(r"\\udc([89a-f][0-9a-f])", lambda found: chr(0xDC00 + int(found[1], 16)), name)


def _pixels(path: Path | None) -> float:
    if path is None:
        return math.nan
    try:
        height, width = images.size(path)
    except (ImageError, MaskError):
        return math.nan
    return float(height * width)
