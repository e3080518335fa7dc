"""NEU-Seg: hot-rolled strip, 200 x 200 pixels, three defect classes with masks.

A folder holds ``images/{training,test}/*.jpg`` and
``annotations/{training,test}/*.png``, label maps of 0 (background), 1
(inclusion), 2 (patches), 3 (scratches). Stems repeat between the two parts,
so names are ``training/000201``. There are no clean images.

The published parts leak: most test images are turned copies of training
images. ``groups.csv`` (``split,stem,group,...``), where it is there, says which
images belong together.

Source: https://github.com/DHW-Master/NEU_Seg
"""

from pathlib import Path

from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.label_maps import LabelMapFile
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

CLASSES = ("inclusion", "patches", "scratches")

_PARTS = ("training", "test")


def read(folder: Path | str) -> Dataset:
    """Read a folder of NEU-Seg, both published parts together.

    Args:
        folder: Folder with ``images/`` and ``annotations/``.

    Returns:
        All images, sorted by name, without image-level labels (they are read
        from the masks), with their group where ``groups.csv`` names it.

    Raises:
        DatasetNotFoundError: If the folder has no such images.
        AnnotationError: If an image has no mask.
    """
    folder = Path(folder)
    paths = [path for part in _PARTS for path in sorted((folder / "images" / part).glob("*.jpg"))]
    if not paths:
        msg = f"no NEU-Seg data in {str(folder)!r}: images/training/*.jpg is missing"
        raise DatasetNotFoundError(msg)
    groups = tables.groups(folder / "groups.csv", "split", "stem")
    return Dataset(classes=CLASSES, entries=tuple(_entry(folder, path, groups) for path in paths))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like NEU-Seg."""
    return all((folder / kind / _PARTS[0]).is_dir() for kind in ("images", "annotations"))


def _entry(folder: Path, path: Path, groups: dict[str, str]) -> Entry:
    name = f"{path.parent.name}/{path.stem}"
    masks = folder / "annotations" / f"{name}.png"
    if not masks.is_file():
        msg = f"{path} has no mask: {masks} is missing"
        raise AnnotationError(msg)
    source = LabelMapFile(path=masks, class_count=len(CLASSES))
    return Entry(name=name, path=path, masks=source, group=groups.get(name), part=path.parent.name)
