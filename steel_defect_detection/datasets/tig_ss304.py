"""TIG SS304: photographs of weld seams on stainless steel, six classes.

A folder holds ``train/ valid/ test/`` (not all need be there), each with
``train.json`` and so on: ``{"run folder/image-0012.png": 0}``. Images are grey,
1280 x 700. Frames of one weld run are nearly the same picture, so each run is
one group.

Source: Bacioiu et al., "Automated defect classification of SS304 TIG welding
process using visible spectrum camera and machine learning", NDT & E
International 2019, https://www.kaggle.com/danielbacioiu/tig-stainless-steel-304
"""

from dataclasses import replace
from pathlib import Path

from steel_defect_detection.datasets import label_files
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

CLASSES = (
    "good",
    "burn_through",
    "contamination",
    "lack_of_fusion",
    "lack_of_shielding_gas",
    "high_travel_speed",
)

_PARTS = ("train", "valid", "test")


def read(folder: Path | str) -> Dataset:
    """Read a folder of the weld set.

    Args:
        folder: Folder with ``train/train.json`` or its siblings.

    Returns:
        All images that the JSON files name, with their run as group and their
        published part; each has exactly one label.

    Raises:
        DatasetNotFoundError: If there is no such file.
        AnnotationError: If one is malformed or names an image that is not
            there; up to ten problems at once.
    """
    folder = Path(folder)
    found = [part for part in _PARTS if _labels_of(folder, part).is_file()]
    if not found:
        msg = f"no weld data in {str(folder)!r}: train/train.json is missing"
        raise DatasetNotFoundError(msg)
    entries = [entry for part in found for entry in _entries(folder, part)]
    return Dataset(classes=CLASSES, entries=tuple(entries), good_class=CLASSES[0])


def is_layout(folder: Path) -> bool:
    """Tell whether a folder looks like the weld set."""
    return any(_labels_of(folder, part).is_file() for part in _PARTS)


def _labels_of(folder: Path, part: str) -> Path:
    return folder / part / f"{part}.json"


def _entries(folder: Path, part: str) -> list[Entry]:
    path = _labels_of(folder, part)
    given = label_files.read_object(path)
    names = {str(number): name for number, name in enumerate(CLASSES)}
    wrong = {label for row in given.values() for label in row}.difference(names)
    if wrong:
        msg = f"{path} has the label {min(wrong)}, but there are classes 0 to {len(CLASSES) - 1}"
        raise AnnotationError(msg)
    dataset = label_files.assemble(folder / part, given, names, path)
    return [
        replace(entry, name=f"{part}/{entry.name}", group=entry.name.rpartition("/")[0], part=part)
        for entry in dataset.entries
    ]
