"""Anybody's own images with masks: a folder of images and a folder of masks.

::

    images/coil-7/0001.jpg
    masks/coil-7/0001.png      the same name, whatever the ending
    clean/coil-7/0002.jpg      optional: images free of defects, without masks

The folder of masks may also be called ``annotations``, ``labels`` or
``ground_truth``. An image in ``images`` without a mask is refused: it might be
clean, or its mask forgotten.

Masks are grey pictures of the image's size (not JPEG, which blurs them), of one
of two kinds:

* black and white: above 127 is defect, and there is one class;
* label maps: 0 is background, 1 the first class, 2 the second, ...

``classes.txt`` names the classes, one per line. Without it a mask with a value
above 127 means black and white and the class ``defect``; else the classes are
called ``class_1``, ``class_2``, ... Masks that fit neither are refused.
"""

import filecmp
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steel_defect_detection import images
from steel_defect_detection.datasets import class_names, image_files
from steel_defect_detection.datasets.dataset import Dataset, Entry, MaskSource
from steel_defect_detection.datasets.label_maps import (
    WHITE,
    LabelMapFile,
    NoDefect,
    ThresholdedFile,
)
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import DatasetNotFoundError, ImageError
from steel_defect_detection.wording import amount

IMAGES, CLEAN = "images", "clean"
MASKS = ("masks", "annotations", "labels", "ground_truth")

_READERS = 4
_JPEG = {".jpg", ".jpeg", ".jpe"}
# A mask of black and white has few values, unless its edges are smoothed; a photograph many.
_FEW_VALUES = 8
_MANY_VALUES = 32
# Values that number classes; smoothed edges have all values.
_SMALL_VALUE = 20
# Of the pixels of a photograph, between 32 and 223.
_LEAST_GREY_SHARE = 0.25
_BACKGROUND = {"background", "_background_", "__background__", "bg"}

_Pair = tuple[Path, Path]


class _Content(NamedTuple):
    """What one mask holds: the values that occur, or why it cannot be read."""

    values: tuple[int, ...]
    problem: str = ""
    grey_share: float = 0.0  # of the pixels, which are neither dark nor bright


def read(folder: Path | str) -> Dataset:
    """Read a folder of images and masks; every mask is looked at once.

    Args:
        folder: Folder with ``images/`` and ``masks/``.

    Returns:
        All images with labels and masks, sorted by name, which is the path
        below ``folder``.

    Raises:
        DatasetNotFoundError: If a folder or its pictures are missing.
        AnnotationError: If images lack a mask or masks an image, if the two
            differ in size, or if a mask is coloured, unreadable or names a
            class that does not exist; up to ten problems at once.
    """
    folder = Path(folder)
    home = _home_of_masks(folder)
    if home is None or not (folder / IMAGES).is_dir():
        msg = (
            f"no images with masks in {str(folder)!r}: expected the folders {IMAGES} and "
            f"{MASKS[0]}, with a mask for each image of the same name"
        )
        raise DatasetNotFoundError(msg)
    problems: list[str] = []
    pairs = _pairs(folder, home, problems)
    contents = _look(pairs)
    names = class_names.read(folder / class_names.FILE)
    if names and names[0].lower() in _BACKGROUND:
        problems.append(
            f"{folder / class_names.FILE} begins with {names[0]!r}, but its first line names the "
            "value 1: 0 is the background, and has no line"
        )
    classes, binary = _classes(names, contents.values())
    problems += _faults(pairs, contents, len(classes), binary=binary)
    clean = image_files.below(folder / CLEAN)
    problems += _both(folder, clean)
    refuse(problems)
    entries = [
        _entry(folder, pairs[name], contents[name].values, classes, binary=binary) for name in pairs
    ]
    entries += [_clean(folder, path, len(classes)) for path in clean]
    return Dataset(classes=classes, entries=tuple(sorted(entries, key=lambda entry: entry.name)))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder has images and masks."""
    return (folder / IMAGES).is_dir() and _home_of_masks(folder) is not None


def _home_of_masks(folder: Path) -> Path | None:
    return next((folder / name for name in MASKS if (folder / name).is_dir()), None)


def _pairs(folder: Path, home: Path, problems: list[str]) -> dict[str, _Pair]:
    """Pair images with masks by their paths without ending."""
    found = image_files.by_stem(
        image_files.required(folder / IMAGES, "image"), folder / IMAGES, problems
    )
    truth = image_files.by_stem(image_files.below(home), home, problems)
    advice = f"; if it is free of defects, move it to {CLEAN}/"
    if truth and not found.keys() & truth.keys():
        lost, advice = sorted(truth), ""
        problems.append(
            f"{amount(len(lost), 'mask')} with another name than any image, such as "
            f"{truth[lost[0]].relative_to(home)}: a mask lies in {home.name}/ where its image "
            f"lies in {IMAGES}/, under the same name"
        )
    problems += image_files.unpaired(found, truth, advice)
    return {name: (found[name], truth[name]) for name in sorted(found.keys() & truth.keys())}


def _look(pairs: Mapping[str, _Pair]) -> dict[str, _Content]:
    """Look at all pairs, several at a time: decoding leaves the interpreter's lock."""
    with ThreadPoolExecutor(_READERS) as readers:
        return dict(
            zip(pairs, readers.map(lambda pair: _content(*pair), pairs.values()), strict=True)
        )


def _content(image: Path, mask: Path) -> _Content:
    try:
        pixels = images.read_values(mask)
    except ImageError as error:
        return _Content((), str(error))
    try:
        shape = images.size(image)
    except ImageError:
        # Whoever reads the image says so, as of one that is cut short.
        shape = (pixels.shape[0], pixels.shape[1])
    if pixels.shape[:2] != shape:
        height, width = pixels.shape[:2]
        size = f"{mask} is {width} x {height}"
        return _Content((), f"{size}, its image {shape[1]} x {shape[0]}")
    if np.ptp(pixels, axis=2).any():
        return _Content(
            (), f"{mask} is coloured, but masks are grey: each pixel has the number of its class"
        )
    counts = np.bincount(pixels[..., 0].reshape(-1), minlength=256)
    grey_share = float(counts[32:224].sum() / counts.sum())
    return _Content(tuple(np.flatnonzero(counts).tolist()), grey_share=grey_share)


def _classes(names: tuple[str, ...], contents: Iterable[_Content]) -> tuple[tuple[str, ...], bool]:
    """Name the classes, and tell whether masks are black and white."""
    highest = max((max(content.values, default=0) for content in contents), default=0)
    if len(names) > 1:
        return names, False
    if highest > WHITE:
        return names or ("defect",), True
    return names or tuple(f"class_{number}" for number in range(1, max(highest, 1) + 1)), False


def _faults(
    pairs: Mapping[str, _Pair],
    contents: Mapping[str, _Content],
    class_count: int,
    *,
    binary: bool,
) -> Iterator[str]:
    """Say what is wrong with the masks."""
    for name, content in contents.items():
        mask = pairs[name][1]
        if content.problem:
            yield content.problem
        elif not binary and content.values[-1] > class_count:
            yield (
                f"{mask}: value {content.values[-1]}, but there are "
                f"{class_count} classes (0 is background){_guess(mask, content)}"
            )
        elif binary and _is_photograph(content):
            yield f"{mask} is neither black nor white{_guess(mask, content)}"
        elif binary and _is_label_map(mask, content):
            value = next(value for value in content.values if value)
            yield (
                f"{mask}: value {value} is neither black nor white, which masks are here, for one "
                f"is above {WHITE}. If these are label maps, name the classes in "
                f"{class_names.FILE} and give each pixel 0 or the number of a class"
            )


def _is_photograph(content: _Content) -> bool:
    """Whether a mask is none; one of black and white as JPEG has many values, on few pixels."""
    return len(content.values) >= _MANY_VALUES and content.grey_share > _LEAST_GREY_SHARE


def _guess(mask: Path, content: _Content) -> str:
    """What is probably wrong with a mask whose values fit nothing."""
    if _is_photograph(content):
        return ". It looks like a photograph: are images and masks swapped?"
    if mask.suffix.lower() in _JPEG:
        return ". JPEG changes values: store masks as PNG"
    if content.values in {(0, 255), (255,)}:
        return ". Black and white masks have one class"
    return ""


def _is_label_map(mask: Path, content: _Content) -> bool:
    """Whether a mask that should be black and white rather holds numbers of classes."""
    shown = [value for value in content.values if value]
    if not shown or mask.suffix.lower() in _JPEG:
        return False
    return shown[-1] <= WHITE or (len(shown) < _FEW_VALUES and shown[0] <= _SMALL_VALUE)


def _entry(
    folder: Path, pair: _Pair, values: tuple[int, ...], classes: tuple[str, ...], *, binary: bool
) -> Entry:
    image, mask = pair
    count = len(classes)
    masks: MaskSource
    if binary:
        masks = ThresholdedFile(path=mask, class_number=1, class_count=1)
        labels: tuple[bool, ...] = (values[-1] > WHITE,)
    else:
        masks = LabelMapFile(path=mask, class_count=count)
        labels = tuple(number in values for number in range(1, count + 1))
    name = image.relative_to(folder).as_posix()
    return Entry(name=name, path=image, labels=labels, masks=masks)


def _both(folder: Path, clean: Sequence[Path]) -> Iterator[str]:
    """Say which clean images lie among those with masks, too: the same bytes by the same name."""
    for path in clean:
        name = path.relative_to(folder / CLEAN)
        other = folder / IMAGES / name
        if other.is_file() and filecmp.cmp(path, other, shallow=False):
            shown = name.as_posix()
            yield f"{shown} lies in {IMAGES}/ and the same in {CLEAN}/: remove one of them"


def _clean(folder: Path, path: Path, class_count: int) -> Entry:
    return Entry(
        name=path.relative_to(folder).as_posix(),
        path=path,
        labels=(False,) * class_count,
        masks=NoDefect(class_count),
    )
