"""Cut single defects out of images, one picture each, in a folder per class.

::

    FOLDER/
    ├── <class>/<image>-<n>.png    the n-th defect of this class on this image
    ├── crops.csv                  crop,image,class,top,left,height,width,area
    └── groups.csv                 class,file,group: crops of one image belong together

A defect is one connected component of a mask; pixels that touch at a corner are
connected. ``top`` to ``width`` are the crop's box in the image, ``area`` the
pixels of the defect itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection import files, images, masks
from steel_defect_detection.datasets import output_folder
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.datasets.problems import Problem, readable
from steel_defect_detection.errors import (
    AnnotationError,
    ConfigError,
    DatasetNotFoundError,
)
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.rle import check_mask
from steel_defect_detection.sample import Sample

TABLE = "crops.csv"
COLUMNS = ("crop", "image", "class", "top", "left", "height", "width", "area")
GROUPS = "groups.csv"


class Box(NamedTuple):
    """A rectangle in an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


class Defect(NamedTuple):
    """One connected defect.

    Args:
        box: The smallest rectangle around it.
        area: Its pixels.
    """

    box: Box
    area: int


class Crop(NamedTuple):
    """One row of ``crops.csv``."""

    path: str
    image: str
    class_name: str
    box: Box
    area: int


@dataclass(frozen=True, kw_only=True)
class Crops:
    """What was cut out.

    Args:
        crops: One per defect, in the order of the images.
        left_over: Pictures of an earlier run that lie between them.
        problems: Images that cannot be read or do not fit their masks.
    """

    crops: tuple[Crop, ...]
    left_over: tuple[str, ...]
    problems: tuple[Problem, ...]

    def counts(self) -> dict[str, int]:
        """Count the crops of each class that has any."""
        found: dict[str, int] = {}
        for crop in self.crops:
            found[crop.class_name] = found.get(crop.class_name, 0) + 1
        return found


class Cutting(NamedTuple):
    """How defects are cut out.

    Args:
        margin: Border on each side, as a share of the defect's longer side,
            so that a scratch is seen with its surroundings too. Crops end at
            the image's edge.
        min_area: Least pixels of a defect; smaller ones are left out.
        join: Defects of one class with at most so many pixels between them
            count as one.
    """

    margin: float = 0.1
    min_area: int = 1
    join: int = 0


_DEFAULT = Cutting()


def cut(
    dataset: Dataset,
    output: Path | str,
    how: Cutting = _DEFAULT,
    *,
    overwrite: bool = False,
    progress: bool = False,
) -> Crops:
    """Cut all defects out of a data set.

    Args:
        dataset: Images with masks; those without masks are passed over.
        output: Folder to write into; nothing in it is deleted.
        how: Margin, least area, and what counts as one defect.
        overwrite: Write into a folder that holds something.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Raises:
        ConfigError: If margin, area or distance is negative.
        AnnotationError: If no image has masks.
        DatasetNotFoundError: If there are masks, but no images.
        ResultsError: If the folder is not empty or cannot be written.
    """
    output = Path(output)
    _check(dataset, how)
    output_folder.prepare(output, overwrite=overwrite)
    earlier = {path.relative_to(output).as_posix() for path in output.glob("*/*.png")}
    crops: list[Crop] = []
    problems: list[Problem] = []
    names = _Names(dataset)
    masked = dataset.subset(n for n, entry in enumerate(dataset.entries) if entry.masks is not None)
    bar = progress_bar(masked.names, unit="image", shown=progress)
    for _, sample in readable(bar, masked.__getitem__, problems):
        crops += _cut(sample, names, dataset.good_class, how, output)
    rows = ((*crop[:3], *crop.box, crop.area) for crop in crops)
    files.write_table(output / TABLE, COLUMNS, rows)
    _write_groups(output / GROUPS, dataset, crops)
    left_over = earlier.difference(crop.path for crop in crops)
    return Crops(crops=tuple(crops), left_over=tuple(sorted(left_over)), problems=tuple(problems))


def _write_groups(path: Path, dataset: Dataset, crops: list[Crop]) -> None:
    """Say which crops must not be parted: those of one image, or of images that belong together."""
    known = {entry.name: entry.group or entry.name for entry in dataset.entries}
    rows = ((*crop.path.rsplit("/", 1), known[crop.image]) for crop in crops)
    files.write_table(path, ("class", "file", "group"), rows)


def find(mask: NDArray[np.bool_], *, join: int = 0) -> list[Defect]:
    """Find the connected defects of a mask.

    Args:
        mask: Bool, shape ``(height, width)``.
        join: Parts with at most so many pixels between them, in rows and in
            columns, are one defect.

    Returns:
        The defects, from top to bottom by their first row, then from left to
        right.

    Raises:
        MaskError: If the mask is not bool or not of that shape.

    Example:
        >>> find(np.array([[True, False, True, True]]))
        [Defect(box=Box(top=0, left=0, height=1, width=1), area=1), \
Defect(box=Box(top=0, left=2, height=1, width=2), area=2)]
        >>> find(np.array([[True, False, True, True]]), join=1)
        [Defect(box=Box(top=0, left=0, height=1, width=4), area=3)]
    """
    check_mask(mask)
    labels, count = masks.components(_joined(mask, join))
    rows, columns = np.nonzero(mask)
    numbers = labels[rows, columns] - 1
    top, bottom = _extent(rows, numbers, count, mask.shape[0])
    left, right = _extent(columns, numbers, count, mask.shape[1])
    areas = np.bincount(numbers, minlength=count)
    table = np.stack([top, left, bottom - top + 1, right - left + 1, areas], axis=1)
    return [Defect(Box(*row[:4]), row[4]) for row in sorted(table.tolist())]


def around(box: Box, margin: float, shape: tuple[int, int]) -> Box:
    """Widen a box by a margin, within the image.

    Args:
        box: The box of a defect.
        margin: Border on each side, as a share of the longer side.
        shape: Height and width of the image.

    Returns:
        The wider box, nowhere outside the image, and no smaller than the
        smallest image that can be read (3 x 3) where the image allows it.

    Example:
        >>> around(Box(top=0, left=50, height=10, width=20), 0.1, (100, 100))
        Box(top=0, left=48, height=12, width=24)
    """
    border = round(margin * max(box.height, box.width))
    top, bottom = _span(box.top, box.top + box.height, border, shape[0])
    left, right = _span(box.left, box.left + box.width, border, shape[1])
    return Box(top, left, bottom - top, right - left)


class _Names:
    """Safe names of folders and pictures; two images never share one."""

    def __init__(self, dataset: Dataset) -> None:
        classes: set[str] = set()
        self.folders = {name: output_folder.unique_name(name, classes) for name in dataset.classes}
        self._taken: set[str] = set()

    def stem(self, image: str) -> str:
        """Name the crops of the next image."""
        stem, dot, ending = image.rpartition(".")
        is_file = f"{dot}{ending}".lower() in images.EXTENSIONS
        return output_folder.unique_name(stem if is_file else image, self._taken)


def _check(dataset: Dataset, how: Cutting) -> None:
    if not 0 <= how.margin < float("inf") or how.min_area < 0 or how.join < 0:
        msg = f"margin, least area and distance must not be negative, got {tuple(how)}"
        raise ConfigError(msg)
    masked = [entry for entry in dataset.entries if entry.masks is not None]
    if not masked:
        msg = (
            f"none of {len(dataset)} images has masks, and defects are cut out along masks. "
            "sdd-predict can draw some"
        )
        raise AnnotationError(msg)
    if not any(entry.has_image for entry in masked):
        msg = f"there are masks of {len(masked)} images, but not the images themselves"
        raise DatasetNotFoundError(msg)


def _cut(
    sample: Sample, names: _Names, good_class: str | None, how: Cutting, output: Path
) -> Iterator[Crop]:
    stem = names.stem(sample.name)
    stack = () if sample.masks is None else sample.masks
    for name, mask in zip(sample.classes, stack, strict=True):
        if name == good_class or not mask.any():
            continue
        defects = [one for one in find(mask, join=how.join) if one.area >= how.min_area]
        for number, defect in enumerate(defects, start=1):
            box = around(defect.box, how.margin, sample.shape)
            path = f"{names.folders[name]}/{stem}-{number}.png"
            rows = slice(box.top, box.top + box.height)
            images.write(output / path, sample.image[rows, box.left : box.left + box.width])
            yield Crop(path, sample.name, name, box, defect.area)


def _joined(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Fill gaps: grown by this much, parts with a gap of this width touch."""
    if distance == 0 or not mask.any():
        return mask
    side = min(distance, max(mask.shape)) + 1
    # Growing to one side only by the whole distance closes the same gaps as growing to both by
    # half of it, and works for odd distances.
    brush = np.ones((side, side), dtype=np.uint8)
    grown = cv2.dilate(mask.astype(np.uint8), brush, anchor=(0, 0))
    return np.asarray(grown, dtype=np.bool_)


def _extent(
    places: NDArray[np.intp], numbers: NDArray[np.int32], count: int, limit: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the first and the last row or column of each component."""
    first, last = np.full(count, limit, dtype=np.intp), np.full(count, -1, dtype=np.intp)
    np.minimum.at(first, numbers, places)
    np.maximum.at(last, numbers, places)
    return first, last


def _span(start: int, stop: int, border: int, limit: int) -> tuple[int, int]:
    start, stop = max(0, start - border), min(limit, stop + border)
    missing = images.MIN_SIDE - (stop - start)
    if missing > 0:
        start = max(0, min(start - missing // 2, limit - images.MIN_SIDE))
        stop = min(limit, start + images.MIN_SIDE)
    return start, stop
