"""Magnetic tile: 1,344 photographs of tiles, five defect classes and clean ones.

A folder holds ``MT_Blowhole MT_Break MT_Crack MT_Fray MT_Free MT_Uneven``, each
with ``Imgs/*.jpg`` and a mask ``*.png`` of the same stem. Masks are grey and
anti-aliased: above 127 is defect. A few masks of ``MT_Uneven`` are empty.

One tile was photographed under up to six lights. ``groups.csv``
(``class,stem,group``), where it is there, names the tile of each photograph.

Source: Huang et al., "Surface defect saliency of magnetic tile", The Visual
Computer 2020, https://github.com/abin24/Magnetic-tile-defect-datasets.
"""

from pathlib import Path

from steel_defect_detection.datasets import tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.label_maps import ThresholdedFile
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

CLASSES = ("blowhole", "break", "crack", "fray", "uneven")

_FOLDERS = {f"MT_{name.capitalize()}": number for number, name in enumerate(CLASSES, start=1)}
_CLEAN = "MT_Free"


def read(folder: Path | str) -> Dataset:
    """Read a folder of the magnetic tile set.

    Args:
        folder: Folder with ``MT_Blowhole`` and its siblings.

    Returns:
        All images, sorted by class and name, without image-level labels (they
        are read from the masks), with their tile as group where ``groups.csv``
        names it.

    Raises:
        DatasetNotFoundError: If the folder has no such images.
        AnnotationError: If an image has no mask.
    """
    folder = Path(folder)
    kinds = sorted([*_FOLDERS, _CLEAN])
    paths = [path for kind in kinds for path in sorted((folder / kind / "Imgs").glob("*.jpg"))]
    if not paths:
        msg = f"no magnetic tile data in {str(folder)!r}: MT_Free/Imgs/*.jpg is missing"
        raise DatasetNotFoundError(msg)
    groups = tables.groups(folder / "groups.csv", "class", "stem")
    return Dataset(classes=CLASSES, entries=tuple(_entry(path, groups) for path in paths))


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like the magnetic tile set."""
    return (folder / _CLEAN / "Imgs").is_dir()


def _entry(path: Path, groups: dict[str, str]) -> Entry:
    kind = path.parent.parent.name
    name = f"{kind}/{path.stem}"
    masks = path.with_suffix(".png")
    if not masks.is_file():
        msg = f"{path} has no mask: {masks.name} is missing"
        raise AnnotationError(msg)
    number = _FOLDERS.get(kind, 0)
    source = ThresholdedFile(path=masks, class_number=number, class_count=len(CLASSES))
    claim = CLASSES[number - 1] if number else None
    return Entry(name=name, path=path, masks=source, group=groups.get(name), claim=claim)
