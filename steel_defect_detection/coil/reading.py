"""From a results folder to a coil: what ``sdd-coil`` reads, as one call.

Nothing is decoded: sizes come from the headers of the masks, and defects from
the run lengths in ``predictions.csv``.
"""

import json
import logging
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files, images, results, rle
from steel_defect_detection.coil import agreement, joining, order, pieces
from steel_defect_detection.coil.layout import Coil, CoilDefects
from steel_defect_detection.coil.order import Order
from steel_defect_detection.coil.pieces import Axis, Pieces, Segments
from steel_defect_detection.errors import ConfigError, ImageError, ResultsError, RunLengthError

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)

# Opening many small files waits for the disk, not for the processor.
_READERS = 4

# Share of an image that starts may be off: a wheel that measures the strip slips a little.
_INEXACT = 0.02

# 100 km of strip at a tenth of a millimetre.
_LONGEST = 1e9

JOIN = 8.0
"""Most pixels between two pieces of one defect, unless another number is given."""


def read(
    folder: str | Path,
    *,
    mm_per_pixel: float | None = None,
    length_axis: Axis = "x",
    order_file: str | Path | None = None,
    join: float = JOIN,
) -> Coil:
    """Lay out the defects of a results folder along its coil.

    Images that could not be judged take their place, as long as a usual image,
    and are unread there. What is left out is said to the logger of this module.

    Args:
        folder: What ``sdd-predict`` left of the images of one coil.
        mm_per_pixel: Size of a pixel, along and across; None if unknown.
        length_axis: Axis of the images that runs along the coil: ``x`` from
            left to right, ``y`` from top to bottom.
        order_file: Table (csv) with the order of the images, as
            ``coil.order`` says; None for that of ``images.csv``.
        join: Most pixels between pieces of one class that are one defect; below
            0 for pieces that touch only.

    Raises:
        ResultsError: If the folder holds no results of outlines, or they
            contradict each other.
        ConfigError: If images differ in size across the coil, or the order does
            not fit them.
    """
    folder = Path(folder)
    table = results.read_images(folder)
    run = _run(folder / "run.json")
    classes = tuple(str(name) for name in run["classes"])
    is_partial = agreement.refuse_cut_table(folder, run, len(table))
    agreement.refuse_strange_verdicts(folder, table)
    chosen = _ordered(table, order_file, mm_per_pixel)
    shapes = _shapes(folder, table, chosen.rows)
    unread = (shapes == 0).any(axis=1)
    placed = _placed(chosen, shapes, unread, axis=length_axis)
    runs = _runs_of(folder, chosen, placed.shapes, len(classes))
    agreement.refuse_other_areas(
        folder, table.iloc[chosen.rows], classes, runs.areas((len(chosen.rows), len(classes)))
    )
    found = _pieces(runs, placed, axis=length_axis)
    joined = joining.join(found, join) if join >= 0 else found
    return Coil(
        classes=classes,
        images=chosen.names,
        starts=placed.starts.astype(np.float64),
        lengths=placed.lengths.astype(np.float64),
        unread=unread,
        width=float(placed.width),
        defects=_as_defects(joined, placed.starts),
        mm_per_pixel=mm_per_pixel,
        is_partial=is_partial,
    )


class _Chosen(NamedTuple):
    """Images of the coil in their order: rows of images.csv, names, and where they begin."""

    rows: NDArray[np.int64]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    starts: NDArray[np.int64] | None


class _Placed(NamedTuple):
    """Images on the grid of the coil, in pixels."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    width: int
    shapes: NDArray[np.int64]


def _run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(run["classes"], list):
            raise TypeError
        return dict(run)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path.parent} holds no results: {path.name} is missing or no record of a run. "
            "Judge the images with sdd-predict"
        )
        raise ResultsError(msg) from error


def _ordered(
    table: "pd.DataFrame", order_file: str | Path | None, mm_per_pixel: float | None
) -> _Chosen:
    names = [str(name) for name in table["file"]]
    ids = [files.as_text(name.image_id) for name in results.name_all([Path(one) for one in names])]
    if order_file is None:
        if not names:
            msg = "the results hold no image"
            raise ResultsError(msg)
        return _Chosen(np.arange(len(names)), tuple(names), tuple(ids), None)
    asked = order.read(order_file)
    called = [{name, one, Path(name).name} for name, one in zip(names, ids, strict=True)]
    rows = order.resolve(asked, [sorted(one) for one in called])
    if len(rows) < len(names):
        _LOG.info("left out, because %s does not name them: %d", order_file, len(names) - len(rows))
    return _Chosen(
        np.array(rows, dtype=np.int64),
        tuple(names[row] for row in rows),
        tuple(ids[row] for row in rows),
        _in_pixels(asked, mm_per_pixel),
    )


def _in_pixels(asked: Order, mm_per_pixel: float | None) -> NDArray[np.int64] | None:
    if asked.starts is None:
        return None
    if asked.in_mm and mm_per_pixel is None:
        msg = "the order gives starts in millimetres: say how large a pixel is, or give 'start'"
        raise ConfigError(msg)
    starts = np.array(asked.starts) / ((mm_per_pixel or 1.0) if asked.in_mm else 1.0)
    if starts.max() - starts.min() > _LONGEST:
        msg = (
            f"by its order the coil is {starts.max() - starts.min():.3g} pixels long, and "
            f"{_LONGEST:,.0f} at most can be laid out: are the starts in the right unit?"
        )
        raise ConfigError(msg)
    if starts.min() > 0:
        unit = "mm" if asked.in_mm else "px"
        _LOG.info(
            "places are counted from where the first image begins: at %s %s of the order",
            f"{min(asked.starts):,.10g}",
            unit,
        )
    return np.asarray(np.rint(starts - starts.min()), dtype=np.int64)


def _shapes(folder: Path, table: "pd.DataFrame", rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Height and width of each image; 0 and 0 where it could not be judged."""
    chosen = table.iloc[rows]
    masks, judged = chosen["mask"].fillna("").tolist(), (chosen["verdict"] != "error").tolist()
    without = [
        name
        for name, mask, is_judged in zip(chosen["file"], masks, judged, strict=True)
        if is_judged and not mask
    ]
    if without:
        msg = (
            f"{without[0]} was judged, but nothing outlines its defects. Judge the images with a "
            "model that does, such as the built-in one"
        )
        raise ResultsError(msg)

    def size(mask: str) -> tuple[int, int]:
        return _size(results.path_of(folder, mask)) if mask else (0, 0)

    try:
        with ThreadPoolExecutor(_READERS, thread_name_prefix="read-sizes") as pool:
            return np.array(list(pool.map(size, masks)), dtype=np.int64).reshape(-1, 2)
    except ImageError as error:
        msg = f"{folder} is not complete: {error}"
        raise ResultsError(msg) from error


def _size(mask: Path) -> tuple[int, int]:
    """Height and width of a mask: ten times as quick as asking a library."""
    try:
        with mask.open("rb") as file:
            head = file.read(24)
    except OSError:
        head = b""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) == 24:
        width, height = struct.unpack(">II", head[16:])
        if width and height:
            return height, width
    return images.size(mask)


def _placed(
    chosen: _Chosen, shapes: NDArray[np.int64], unread: NDArray[np.bool_], *, axis: Axis
) -> _Placed:
    if unread.all():
        msg = f"none of {len(unread)} images could be judged, so there is no coil to lay out"
        raise ResultsError(msg)
    lengths, widths = (shapes[:, 1], shapes[:, 0]) if axis == "x" else (shapes[:, 0], shapes[:, 1])
    read_widths = widths[~unread]
    differs = np.flatnonzero(read_widths != read_widths[0])
    if differs.size:
        names = [name for name, skip in zip(chosen.names, unread, strict=True) if not skip]
        msg = (
            f"{names[differs[0]]} is {read_widths[differs[0]]} pixels across and {names[0]} is "
            f"{read_widths[0]}: all images of a coil must be equally wide. Does {axis} run along "
            "the coil?"
        )
        raise ConfigError(msg)
    lengths = np.where(unread, round(float(np.median(lengths[~unread]))), lengths)
    if chosen.starts is None:
        return _Placed(np.cumsum(lengths) - lengths, lengths, int(read_widths[0]), shapes)
    starts = _snapped(chosen.starts, lengths)
    # How long an unread image is, nobody knows: it ends where the next one begins.
    room = np.diff(starts, append=starts[-1] + lengths[-1])
    lengths = np.where(unread, np.minimum(lengths, room), lengths)
    return _Placed(starts, lengths, int(read_widths[0]), shapes)


def _snapped(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Let images begin where the one before ends, if their starts are a little too early."""
    snapped = starts.copy()
    for number in range(1, len(starts)):
        end = snapped[number - 1] + lengths[number - 1]
        if 0 < end - snapped[number] <= _INEXACT * lengths[number - 1]:
            snapped[number] = end
    return snapped


class _Runs(NamedTuple):
    """Runs of all images: first pixel and length, and image and class of each."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    image: NDArray[np.int64]
    class_number: NDArray[np.int64]

    def areas(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Pixels by image and class."""
        cells = self.image * shape[1] + self.class_number - 1
        sums = np.bincount(cells, weights=self.lengths, minlength=shape[0] * shape[1])
        return sums.astype(np.int64).reshape(shape)


def _runs_of(folder: Path, chosen: _Chosen, shapes: NDArray[np.int64], class_count: int) -> _Runs:
    table = results.read_predictions(folder)
    numbers = {name: number for number, name in enumerate(chosen.ids)}
    image = np.array([numbers.get(str(name), -1) for name in table["ImageId"]], dtype=np.int64)
    kept = np.flatnonzero(image >= 0)
    image, table = image[kept], table.iloc[kept]
    classes = _class_numbers(folder, table["ClassId"].tolist(), class_count)
    _refuse_twice(folder, image, classes)
    runs = [
        _runs(chosen.names[number], str(text), shapes[number])
        for number, text in zip(image.tolist(), table["EncodedPixels"], strict=True)
    ]
    counts = np.array([len(starts) for starts, _ in runs], dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    return _Runs(
        starts=np.concatenate([nothing, *(starts for starts, _ in runs)]),
        lengths=np.concatenate([nothing, *(lengths for _, lengths in runs)]),
        image=np.repeat(image, counts),
        class_number=np.repeat(classes, counts),
    )


def _pieces(runs: _Runs, placed: _Placed, *, axis: Axis) -> Pieces:
    heights = placed.shapes[runs.image, 0]
    cut = pieces.segments(runs.starts, runs.lengths, heights, runs.class_number)
    columns = ((runs.starts - 1) % heights + runs.lengths - 1) // heights + 1
    offset = placed.starts[np.repeat(runs.image, columns)]
    return pieces.connect(_moved(cut, offset, axis), axis)


def _class_numbers(folder: Path, found: Sequence[object], class_count: int) -> NDArray[np.int64]:
    wrong = [
        one for one in found if not str(one).isdecimal() or not 1 <= int(str(one)) <= class_count
    ]
    if wrong:
        msg = f"{folder / 'predictions.csv'} names class {wrong[0]}, but run.json has {class_count}"
        raise ResultsError(msg)
    return np.array([int(str(one)) for one in found], dtype=np.int64)


def _refuse_twice(folder: Path, image: NDArray[np.int64], classes: NDArray[np.int64]) -> None:
    rows = np.stack([image, classes], axis=1)
    if len(np.unique(rows, axis=0)) < len(rows):
        msg = (
            f"{folder / 'predictions.csv'} has two rows for one image and class: give each one row"
        )
        raise ResultsError(msg)


def _runs(
    name: str, text: str, shape: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        return rle.pairs(text, (int(shape[0]), int(shape[1])))
    except RunLengthError as error:
        msg = f"predictions.csv, {name}: {error}. If it is damaged, judge the images again"
        raise ResultsError(msg) from error


def _moved(cut: Segments, offset: NDArray[np.int64], axis: Axis) -> Segments:
    """Move segments from the grid of their image to that of the coil."""
    if axis == "x":
        parts = (cut.column + offset, cut.first, cut.last)
    else:
        parts = (cut.column, cut.first + offset, cut.last + offset)
    return Segments(class_number=cut.class_number, column=parts[0], first=parts[1], last=parts[2])


def _as_defects(found: Pieces, starts: NDArray[np.int64]) -> CoilDefects:
    return CoilDefects(
        image=np.maximum(np.searchsorted(starts, found.along, side="right") - 1, 0),
        class_number=found.class_number,
        along=found.along,
        across=found.across,
        along_size=found.along_last - found.along_first + 1,
        across_size=found.across_last - found.across_first + 1,
        area=found.area,
    ).in_order()
