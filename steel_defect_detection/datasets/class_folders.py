"""One folder per class: what an image shows is the name of its folder.

Three forms are read::

    <class>/*.jpg                      NEU-CLS
    <part>/<class>/*.jpg               CIFAR-10 as pictures; train, validation, test
    <part>/images/<class>/*.jpg        NEU-DET

Classes are ordered by name, whatever order the file system gives. A class
called ``good``, ``clean``, ``ok``, ``normal``, ``no_defect`` or ``defect_free``
means "free of defects". ``groups.csv`` (``class,file,group``), where it is
there, says which images belong together.
"""

from pathlib import Path

from steel_defect_detection.datasets import class_names, image_files, tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import DatasetNotFoundError

# Folders of images and masks, which a data set of another layout has.
_IMAGES = ("image", "images", "img", "imgs", "photos")
_MASKS = ("mask", "masks", "gt", "ground_truth", "groundtruth")
_LABELS = ("annotation", "annotations", "label", "labels")
_NO_CLASSES = {*_IMAGES, *_MASKS, *_LABELS}

PARTS = ("train", "training", "validation", "valid", "val", "test")

# Class, then the folder with its images, then the part they were published in.
_Folder = tuple[str, Path, str | None]


def read(folder: Path | str) -> Dataset:
    """Read a folder with one folder per class.

    Args:
        folder: Folder of the classes, or of the parts that hold them.

    Returns:
        All images, sorted by name (``crazing/crazing_1.jpg``); each has
        exactly one label.

    Raises:
        DatasetNotFoundError: If there are no two classes with images.
        AnnotationError: If ``groups.csv`` is malformed.
    """
    folder = Path(folder)
    homes = _homes(folder)
    classes = tuple(sorted({name for name, _, _ in homes}))
    if len(classes) < 2:
        msg = (
            f"{str(folder)!r} holds images of {len(classes)} classes, expected at least two "
            "folders with images, each named after its class"
        )
        raise DatasetNotFoundError(msg)
    groups = tables.groups(folder / "groups.csv", "class", "file")
    entries = [
        Entry(
            name=path.relative_to(folder).as_posix(),
            path=path,
            labels=class_names.one_hot(name, classes),
            group=groups.get(f"{name}/{path.name}"),
            part=part,
        )
        for name, home, part in homes
        for path in image_files.below(home)
    ]
    ordered = tuple(sorted(entries, key=lambda entry: entry.name))
    return Dataset(classes=classes, entries=ordered, good_class=class_names.good(classes))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder has two folders with images, or parts that have."""
    return len({name for name, _, _ in _homes(folder)}) >= 2


def unlikely(folder: Path) -> list[str]:
    """Folders of classes that are called like those of images and masks in other layouts.

    Args:
        folder: As ``read`` takes it.
    """
    return sorted({name for name, _, _ in _homes(folder) if name.lower() in _NO_CLASSES})


def _homes(folder: Path) -> list[_Folder]:
    """Find the folders of the classes."""
    parts = [part for part in PARTS if (folder / part).is_dir()]
    if not parts:
        return _classes_in(folder, None)
    return [home for part in parts for home in _classes_in(_images_of(folder / part), part)]


def _images_of(folder: Path) -> Path:
    return folder / "images" if (folder / "images").is_dir() else folder


def _classes_in(folder: Path, part: str | None) -> list[_Folder]:
    return [
        (path.name, path, part)
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.name.startswith(".") and image_files.any_below(path)
    ]
