"""Look through a data set: what is in it, how often, where, and what is wrong.

Images are read one after the other and forgotten again. What stays per image is
a hash of its pixels, by which exact duplicates are found.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.problems import Problem, readable
from steel_defect_detection.errors import AnnotationError
from steel_defect_detection.progress import progress_bar
from steel_defect_detection.sample import are_defects

# Rows and columns of the maps of positions. Strips are wide, so there are more columns.
GRID = (32, 64)


class Empty(NamedTuple):
    """An image that is said to show a class, while its mask shows nothing."""

    image: str
    class_name: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is in a data set.

    Images with problems count in ``images`` and nowhere else, so ``clean``,
    ``defective``, ``unlabelled`` and the number of problems add up to it.

    Args:
        classes: Names of the classes.
        good_class: The class, if any, that means "free of defects".
        images: How many images there are.
        clean: How many are free of defects.
        defective: How many show a defect.
        unlabelled: How many have neither labels nor masks.
        types: Images by number of defect types on them, from 0.
        class_images: Images of each class.
        together: Images that show class ``i`` and class ``j``, in row ``i``
            and column ``j``; ``class_images`` on the diagonal.
        masked: How many images have masks.
        pixels: Pixels of each class, over the images with masks.
        background_pixels: Pixels of no class, over the same images.
        annotated_pixels: All pixels of the same images.
        shared_pixels: Pixels that belong to more than one class.
        shared: Names of the images with such pixels.
        empty: Images that are said to show a class without a pixel of it.
        sizes: Images by ``(height, width)``, the most frequent first; images
            of unknown size do not count.
        duplicates: Names of images that are equal pixel by pixel, in groups.
        problems: What could not be read or does not fit.
        positions: Share of the images with masks that show each class at each
            place, shape ``(classes, *GRID)``, in coordinates that run from 0
            to 1 over every image.
        examples: Number of an image of each class, the first one that shows
            nothing else, or the first; None where no image can be shown.
    """

    classes: tuple[str, ...]
    good_class: str | None
    images: int
    clean: int
    defective: int
    unlabelled: int
    types: tuple[int, ...]
    class_images: tuple[int, ...]
    together: tuple[tuple[int, ...], ...]
    masked: int
    pixels: tuple[int, ...]
    background_pixels: int
    annotated_pixels: int
    shared_pixels: int
    shared: tuple[str, ...]
    empty: tuple[Empty, ...]
    sizes: dict[tuple[int, int], int]
    duplicates: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...]
    positions: NDArray[np.float64] = field(repr=False, compare=False)
    examples: tuple[int | None, ...]


def inspect(dataset: Dataset, *, progress: bool = False) -> Inspection:
    """Look through a data set.

    Args:
        dataset: Its images and masks are read once, one after the other.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        What is in it. Images that cannot be read, and annotations that do not
        fit, are among its ``problems``.
    """
    tally = _Tally(dataset)
    names = progress_bar(dataset.names, unit="image", shown=progress)
    looks = readable(names, lambda n: _look(dataset.entries[n], dataset.classes), tally.problems)
    for number, look in looks:
        tally.add(number, look)
    return tally.result()


class _Pixels(NamedTuple):
    """Pixels of each class, of none, of more than one, and all of them."""

    classes: NDArray[np.int64]
    background: int
    shared: int
    area: int


class _Look(NamedTuple):
    """What one image says, in numbers.

    Args:
        digest: Hash of its pixels; None without an image.
        shape: Height and width; None if unknown.
        labels: Whether it shows each class; None if unknown.
        pixels: Counts of its pixels; None without masks.
        places: Share of each place of ``GRID`` that a class covers, by number
            of the class; only classes that occur.
        empty: Classes that it is said to show without a pixel of them.
    """

    digest: bytes | None
    shape: tuple[int, int] | None
    labels: NDArray[np.bool_] | None
    pixels: _Pixels | None
    places: dict[int, NDArray[np.float32]]
    empty: list[str]


def _look(entry: Entry, classes: Sequence[str]) -> _Look:
    digest, shape = None, entry.shape
    if entry.has_image:
        image = entry.read_image()
        height, width = image.shape[:2]
        digest, shape = _digest(image), (height, width)
    labels = _labels(entry, len(classes))
    if entry.masks is None:
        return _Look(digest, shape, labels, None, {}, [])
    masks = _masks(entry, shape or entry.read_shape(), len(classes))
    pixels = _count(masks)
    shown = pixels.classes > 0
    if labels is None:
        labels = shown
    _refuse_denied(entry.name, shown & ~labels, classes)
    said = {name for name, label in zip(classes, labels, strict=True) if label} | {entry.claim}
    empty = [name for name, seen in zip(classes, shown, strict=True) if name in said and not seen]
    places = {number: _places(masks[number]) for number in np.flatnonzero(shown).tolist()}
    return _Look(digest, shape, labels, pixels, places, empty)


def _digest(image: NDArray[np.uint8]) -> bytes:
    shape = repr(image.shape).encode()
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16, key=shape).digest()


def _labels(entry: Entry, class_count: int) -> NDArray[np.bool_] | None:
    if entry.labels is None:
        return None
    if len(entry.labels) != class_count:
        msg = (
            f"{entry.name}: expected a label for each of {class_count} classes, got {entry.labels}"
        )
        raise AnnotationError(msg)
    return np.array(entry.labels, dtype=np.bool_)


def _masks(entry: Entry, shape: tuple[int, int], class_count: int) -> NDArray[np.bool_]:
    masks = entry.masks.read(shape) if entry.masks else None
    if masks is None or masks.dtype != np.bool_ or masks.shape != (class_count, *shape):
        got = "none" if masks is None else f"{masks.dtype} of shape {masks.shape}"
        msg = f"{entry.name}: expected bool masks of shape {(class_count, *shape)}, got {got}"
        raise AnnotationError(msg)
    return masks


def _count(masks: NDArray[np.bool_]) -> _Pixels:
    classes = np.array([np.count_nonzero(mask) for mask in masks], dtype=np.int64)
    total, area = int(classes.sum()), int(np.prod(masks.shape[1:]))
    # Most images show one class or none, where nothing can be shared.
    if np.count_nonzero(classes) < 2:
        return _Pixels(classes, area - total, 0, area)
    depth = masks[classes > 0].sum(axis=0, dtype=np.int32)
    return _Pixels(classes, int((depth == 0).sum()), int((depth > 1).sum()), area)


def _refuse_denied(name: str, denied: NDArray[np.bool_], classes: Sequence[str]) -> None:
    if denied.any():
        names = ", ".join(classes[number] for number in np.flatnonzero(denied).tolist())
        msg = f"{name}: its masks show {names}, which its labels deny"
        raise AnnotationError(msg)


def _places(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    size = (GRID[1], GRID[0])
    # Bytes rather than floats: four times less memory to ask the system for makes the whole
    # inspection twice as fast, and a share of 1/255 is more than anybody sees.
    grey = mask.view(np.uint8) * np.uint8(255)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32) / np.float32(255)


class _Tally:
    """Adds up what the images say."""

    def __init__(self, dataset: Dataset) -> None:
        count = len(dataset.classes)
        self._dataset = dataset
        self._bad = are_defects(dataset.classes, dataset.good_class)
        self._types: Counter[int] = Counter()
        self._together = np.zeros((count, count), dtype=np.int64)
        self._unlabelled = self._masked = 0
        self._background = self._shared_pixels = self._annotated = 0
        self._pixels = np.zeros(count, dtype=np.int64)
        self._positions = np.zeros((count, *GRID), dtype=np.float64)
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._first: dict[bytes, int] = {}
        self._copies: dict[int, list[int]] = {}
        self._alone: dict[int, int] = {}
        self._any: dict[int, int] = {}
        self._shared: list[str] = []
        self._empty: list[Empty] = []
        self.problems: list[Problem] = []

    def add(self, number: int, look: _Look) -> None:
        """Count what the image of this number says."""
        if look.shape is not None:
            self._sizes[look.shape] += 1
        if look.digest is not None:
            self._add_digest(number, look.digest)
        if look.labels is None:
            self._unlabelled += 1
        else:
            self._types[int(np.count_nonzero(look.labels & self._bad))] += 1
            self._together += np.outer(look.labels, look.labels)
        if look.labels is not None and look.digest is not None:
            self._add_example(number, np.flatnonzero(look.labels).tolist())
        if look.pixels is not None:
            self._add_pixels(self._dataset.entries[number].name, look, look.pixels)

    def result(self) -> Inspection:
        """Put the sums together."""
        names = self._dataset.names
        count = len(self._dataset.classes)
        labelled = self._types.total()
        return Inspection(
            classes=self._dataset.classes,
            good_class=self._dataset.good_class,
            images=len(names),
            clean=self._types[0],
            defective=labelled - self._types[0],
            unlabelled=self._unlabelled,
            types=tuple(self._types[kinds] for kinds in range(max(self._types, default=0) + 1)),
            class_images=tuple(np.diag(self._together).tolist()),
            together=tuple(tuple(row) for row in self._together.tolist()),
            masked=self._masked,
            pixels=tuple(self._pixels.tolist()),
            background_pixels=self._background,
            annotated_pixels=self._annotated,
            shared_pixels=self._shared_pixels,
            shared=tuple(self._shared),
            empty=tuple(self._empty),
            sizes=dict(self._sizes.most_common()),
            duplicates=tuple(
                tuple(names[number] for number in (first, *copies))
                for first, copies in sorted(self._copies.items())
            ),
            problems=tuple(self.problems),
            positions=self._positions / max(1, self._masked),
            examples=tuple(self._alone.get(c, self._any.get(c)) for c in range(count)),
        )

    def _add_digest(self, number: int, digest: bytes) -> None:
        first = self._first.setdefault(digest, number)
        if first != number:
            self._copies.setdefault(first, []).append(number)

    def _add_example(self, number: int, shown: list[int]) -> None:
        for kind in shown:
            self._any.setdefault(kind, number)
        if len(shown) == 1:
            self._alone.setdefault(shown[0], number)

    def _add_pixels(self, name: str, look: _Look, pixels: _Pixels) -> None:
        self._masked += 1
        self._pixels += pixels.classes
        self._background += pixels.background
        self._annotated += pixels.area
        self._shared_pixels += pixels.shared
        if pixels.shared:
            self._shared.append(name)
        self._empty += [Empty(name, kind) for kind in look.empty]
        for number, places in look.places.items():
            self._positions[number] += places
