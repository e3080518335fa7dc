"""Layouts: the ways in which data sets lie in a folder, recognised by themselves.

One file of this package reads each layout, with a function ``read(folder)`` and
a function ``is_layout(folder)`` that tells whether a folder looks like it. That
one never raises, whatever else lies in the folder: a file that cannot be read is
no sign of a layout, and only ``read`` complains about it.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from steel_defect_detection.datasets import (
    arrays,
    cifar10,
    class_folders,
    crack_forest,
    image_files,
    kolektor,
    label_files,
    magnetic_tile,
    mask_folders,
    neu_seg,
    origins,
    severstal,
    severstal_annotations,
    tig_ss304,
)
from steel_defect_detection.datasets.dataset import Dataset
from steel_defect_detection.errors import ConfigError, DatasetNotFoundError

_LOG = logging.getLogger(__name__)


_RESULTS = ("images.csv", "predictions.csv", "run.json")
"""Files that a run leaves beside each other; run lengths read like those of a data set."""


class Layout(NamedTuple):
    """One way of laying out a data set.

    Args:
        read: Reads a folder.
        is_layout: Tells whether a folder looks like this layout.
        looks_like: What the folder holds, in a few words for people.
    """

    read: Callable[[Path], Dataset]
    is_layout: Callable[[Path], bool]
    looks_like: str


# In this order they are tried: those with the most particular names come first.
LAYOUTS = {
    "severstal": Layout(severstal.read, severstal.is_layout, "train.csv and train_images/"),
    "neu-seg": Layout(
        neu_seg.read, neu_seg.is_layout, "images/training/*.jpg and annotations/training/*.png"
    ),
    "magnetic-tile": Layout(
        magnetic_tile.read, magnetic_tile.is_layout, "MT_Free/Imgs/ and its siblings"
    ),
    "crack-forest": Layout(
        crack_forest.read, crack_forest.is_layout, "image/*.jpg and groundTruth/*.mat"
    ),
    "kolektor": Layout(
        kolektor.read, kolektor.is_layout, "kos01/Part0_label.bmp or train/10000_GT.png"
    ),
    "tig-ss304": Layout(tig_ss304.read, tig_ss304.is_layout, "train/train.json"),
    "cifar10": Layout(cifar10.read, cifar10.is_layout, "data_batch_1 or test_batch"),
    "arrays": Layout(arrays.read, arrays.is_layout, "images.npy and labels.npy"),
    "label-files": Layout(label_files.read, label_files.is_layout, "labels.csv or labels.json"),
    "mask-folders": Layout(mask_folders.read, mask_folders.is_layout, "images/ and masks/"),
    "severstal-annotations": Layout(
        severstal_annotations.read,
        severstal_annotations.is_layout,
        "a table of run lengths or labels without images",
    ),
    "class-folders": Layout(
        class_folders.read, class_folders.is_layout, "one folder of images per class"
    ),
}


def read(folder: Path | str, layout: str | None = None) -> Dataset:
    """Read a data set.

    Args:
        folder: Where it lies.
        layout: One of ``LAYOUTS``; by default the first that the folder looks
            like.

    Raises:
        ConfigError: If there is no layout of that name.
        DatasetNotFoundError: If the folder is missing or looks like no layout.
        AnnotationError: If its annotations are malformed.
    """
    folder = Path(folder)
    if layout is None:
        layout = recognise(folder)
    if layout not in LAYOUTS:
        msg = f"there is no layout {layout!r}. Layouts: {', '.join(LAYOUTS)}"
        raise ConfigError(msg)
    dataset = origins.apply(LAYOUTS[layout].read(folder), folder)
    if dataset.note:
        _LOG.info("%s: %s", folder, dataset.note)
    return dataset


def recognise(folder: Path | str) -> str:
    """Find the layout of a folder.

    Returns:
        A name of ``LAYOUTS``.

    Raises:
        DatasetNotFoundError: If the folder is missing or looks like no layout.
    """
    folder = Path(folder)
    if not folder.exists():
        msg = f"there is no folder {str(folder)!r}. Data sets can be fetched with sdd-download"
        raise DatasetNotFoundError(msg)
    if not folder.is_dir():
        msg = f"{str(folder)!r} is a file; unpack it or name the folder of the data set"
        raise DatasetNotFoundError(msg)
    if all((folder / name).is_file() for name in _RESULTS):
        msg = (
            f"{str(folder)!r} holds results of sdd-predict, which are no labels. Name the folder "
            "of the labelled images; or, to take the results for labels, a layout"
        )
        raise DatasetNotFoundError(msg)
    for name, layout in LAYOUTS.items():
        if layout.is_layout(folder):
            if name == "class-folders":
                _refuse_several(folder)
                _refuse_unlikely(folder)
            return name
    known = "; ".join(f"{name}: {layout.looks_like}" for name, layout in LAYOUTS.items())
    msg = (
        f"{str(folder)!r} looks like no data set that this package knows: "
        f"{_what_is_there(folder)}. Known are: {known}"
    )
    raise DatasetNotFoundError(msg)


def _refuse_unlikely(folder: Path) -> None:
    """Raise if classes are called like folders of images and masks, one of which is misspelt."""
    if strange := class_folders.unlikely(folder):
        msg = (
            f"{str(folder)!r} has the folder {strange[0]}, which is hardly a class. Images with "
            "masks lie in images/ and masks/, by the same names. If it is a class, name the layout "
            "class-folders"
        )
        raise DatasetNotFoundError(msg)


def _refuse_several(folder: Path) -> None:
    """Raise if what looks like folders of classes are data sets, so that one stands too high."""
    if any((folder / part).is_dir() for part in class_folders.PARTS):
        return
    for path in sorted(folder.iterdir()):
        kinds = (name for name, layout in LAYOUTS.items() if layout.is_layout(path))
        kind = next(kinds, "class-folders") if path.is_dir() else "class-folders"
        if kind != "class-folders":
            msg = (
                f"{str(folder)!r} holds data sets and is none: {path.name} is one, layout {kind}. "
                "Name that folder, or one beside it"
            )
            raise DatasetNotFoundError(msg)


def _what_is_there(folder: Path) -> str:
    """Say what was found in place of a data set."""
    homes = [path.name for path in sorted(folder.iterdir()) if image_files.any_below(path)]
    if homes:
        return f"it holds images in {', '.join(homes[:3])} only, without masks or labels"
    if image_files.any_below(folder):
        return "it holds images, but neither masks nor labels"
    return "it holds no image"
