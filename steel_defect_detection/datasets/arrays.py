"""Images and labels as two NumPy arrays, ``images.npy`` and ``labels.npy``.

``images.npy`` is uint8 of shape ``(images, height, width)`` or ``(images,
height, width, 1 or 3)``, ``labels.npy`` holds one whole number from 0 per
image. ``classes.txt``, where it is there, names the classes, one per line, and
``groups.csv`` (``row,group``) says which images belong together, by their number
from 0. ``clusters.json`` tells that nobody has looked at the labels: they come
from ``sdd-cluster``.

Images are read one by one, so the file may be larger than the memory. Nothing
in them is executed: arrays of Python objects are refused.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steel_defect_detection.datasets import class_names, tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

IMAGES, LABELS = "images.npy", "labels.npy"

GROUPS = "groups.csv"

CLUSTERING = "clusters.json"
"""File beside arrays whose labels come from a clustering."""

CLUSTERING_NOTE = (
    "the labels come from a clustering (clusters.json): measures say how well a model agrees "
    "with it, not how often it is right"
)


@dataclass(frozen=True)
class ArrayRow:
    """One image of an array in a file."""

    path: Path
    index: int

    def read(self) -> NDArray[np.uint8]:
        """Read the image, uint8, shape ``(height, width, 1 or 3)``."""
        image = np.array(_open(self.path)[self.index])
        return image[..., None] if image.ndim == 2 else image


def read(folder: Path | str) -> Dataset:
    """Read a folder with the two arrays.

    Args:
        folder: Folder with ``images.npy`` and ``labels.npy``.

    Returns:
        All images in the order of the arrays, named by their number; each has
        exactly one label.

    Raises:
        DatasetNotFoundError: If one of the two is missing.
        AnnotationError: If they are of the wrong type or shape, or do not fit
            each other, or ``groups.csv`` is malformed.
    """
    folder = Path(folder)
    for name in (IMAGES, LABELS):
        if not (folder / name).is_file():
            msg = f"no arrays in {str(folder)!r}: {name} is missing"
            raise DatasetNotFoundError(msg)
    images, labels = _open(folder / IMAGES), _open(folder / LABELS)
    _check(images, labels, folder)
    given = [(str(label),) for label in labels.tolist()]
    classes = tuple(class_names.by_label(given, folder / class_names.FILE).values())
    groups = tables.groups(folder / GROUPS, "row")
    height, width = images.shape[1:3]
    entries = (
        Entry(
            name=str(number),
            path=folder / IMAGES,
            pixels=ArrayRow(folder / IMAGES, number),
            shape=(height, width),
            labels=class_names.one_hot(label, range(len(classes))),
            group=groups.get(str(number)),
        )
        for number, label in enumerate(labels.tolist())
    )
    note = CLUSTERING_NOTE if (folder / CLUSTERING).is_file() else ""
    return Dataset(classes=classes, entries=tuple(entries), note=note)


def is_layout(folder: Path) -> bool:
    """Tell whether a folder holds the two arrays."""
    return (folder / IMAGES).is_file() and (folder / LABELS).is_file()


def _open(path: Path) -> NDArray[np.generic]:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        msg = f"{path} is no NumPy array: {error}"
        raise AnnotationError(msg) from error


def _check(images: NDArray[np.generic], labels: NDArray[np.generic], folder: Path) -> None:
    shape = images.shape
    channels_fit = images.ndim == 3 or (images.ndim == 4 and shape[3] in (1, 3))
    if images.dtype != np.uint8 or not channels_fit:
        msg = (
            f"{folder / IMAGES}: expected uint8 of shape (images, height, width[, 1 or 3]), "
            f"got {images.dtype} of shape {shape}"
        )
        raise AnnotationError(msg)
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or labels.shape != shape[:1] or labels.min(initial=0) < 0:
        msg = (
            f"{folder / LABELS}: expected {shape[0]} whole numbers from 0, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
        raise AnnotationError(msg)
