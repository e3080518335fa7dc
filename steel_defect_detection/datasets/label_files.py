"""Image-level labels in one file: a table (csv) or a JSON object.

A folder holds ``labels.csv`` or ``labels.json``, and its images beside it or in
``images/``. Three forms are read:

* a table whose first column names the image and whose others are classes, with
  0 or 1 in each cell: any number of classes per image;
* a table of two columns, the second one called ``class`` or ``label``: one class
  per image;
* JSON, ``{"image": class}``: one class per image.

Classes given as numbers are called ``class_0``, ``class_1``, ... unless
``classes.txt`` names them, one per line.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from steel_defect_detection.datasets import class_names, tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

TABLE, OBJECT = "labels.csv", "labels.json"

_CLASS_COLUMNS = ("class", "label")


def read(folder: Path | str) -> Dataset:
    """Read a folder with a file of labels.

    Args:
        folder: Folder with ``labels.csv`` or ``labels.json``.

    Returns:
        The images that the file names, sorted by name, with labels.

    Raises:
        DatasetNotFoundError: If there is no such file.
        AnnotationError: If it is malformed, names an image twice or one that
            is not there; up to ten problems at once.
    """
    folder = Path(folder)
    home = folder / "images" if (folder / "images").is_dir() else folder
    if (folder / OBJECT).is_file():
        return _one_class_each(home, read_object(folder / OBJECT), folder / OBJECT)
    if not (folder / TABLE).is_file():
        msg = f"no file of labels in {str(folder)!r}: {TABLE} or {OBJECT} is missing"
        raise DatasetNotFoundError(msg)
    if _names_classes(tables.columns(folder / TABLE)):
        return _one_class_each(home, _read_pairs(folder / TABLE), folder / TABLE)
    classes, rows = read_columns(folder / TABLE)
    return assemble(home, rows, classes, folder / TABLE)


def is_layout(folder: Path) -> bool:
    """Tell whether a folder has a file of labels."""
    return (folder / TABLE).is_file() or (folder / OBJECT).is_file()


def read_columns(table: Path) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Read a table with one column per class.

    Returns:
        Names of the classes, and the classes of each image.

    Raises:
        AnnotationError: If it is malformed.
    """
    first, *classes = tables.columns(table) or ("",)
    if not classes or len(set(classes)) < len(classes):
        msg = f"{table} needs one column per class, each of another name"
        raise AnnotationError(msg)
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for line in tables.read(table):
        problem = _fault(line, classes, found)
        if problem:
            problems.append(f"{table.name} line {line.number}: {problem}")
        else:
            image = line.cells[first]
            found[image] = tuple(name for name in classes if line.cells[name] == "1")
    refuse(problems)
    return tuple(classes), found


def read_object(path: Path) -> dict[str, tuple[str, ...]]:
    """Read the class of each image from JSON.

    Raises:
        AnnotationError: If it is no JSON object of text and numbers, or names
            an image twice.
    """
    try:
        pairs = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=list)
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path} is no JSON: {error}"
        raise AnnotationError(msg) from error
    if not isinstance(pairs, list) or not all(_is_label(pair) for pair in pairs):
        msg = f"{path} must be a JSON object with one text or whole number per image"
        raise AnnotationError(msg)
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for image, label in pairs:
        if image in found:
            problems.append(f"{path} names {image} more than once")
        found[image] = (str(label),)
    refuse(problems)
    return found


def assemble(
    home: Path,
    given: Mapping[str, Sequence[str]],
    names: Mapping[str, str] | Sequence[str],
    source: Path,
) -> Dataset:
    """Put labelled images together.

    Args:
        home: Folder that the images' names are counted from.
        given: Labels of each image.
        names: Name of the class by label, or the names that are the labels.
        source: Where the labels stand, for messages.

    Raises:
        AnnotationError: If there are no labels, or an image is not there.
    """
    if not given:
        msg = f"{source} holds no labels"
        raise AnnotationError(msg)
    known = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    refuse(
        f"{source.name} names {image}, which is not in {home}"
        for image in given
        if not _is_below(home, image)
    )
    entries = (
        Entry(name=image, path=home / image, labels=tuple(key in given[image] for key in known))
        for image in sorted(given)
    )
    classes = tuple(known.values())
    return Dataset(classes=classes, entries=tuple(entries), good_class=class_names.good(classes))


def _one_class_each(home: Path, given: Mapping[str, Sequence[str]], source: Path) -> Dataset:
    """Put images of one class each together; the classes' names may stand beside the source."""
    names = class_names.by_label(given.values(), source.with_name(class_names.FILE))
    return assemble(home, given, names, source)


def _fault(line: tables.Line, classes: Sequence[str], found: Mapping[str, object]) -> str:
    """Say what is wrong with a row of 0 and 1, if anything."""
    if not line.cells:
        return f"the count of cells differs from the header's {len(classes) + 1}"
    image = next(iter(line.cells.values()))
    wrong = [name for name in classes if line.cells[name] not in {"0", "1"}]
    if wrong:
        return f"{wrong[0]} {line.cells[wrong[0]]!r}, expected 0 or 1"
    return f"{image} has a row already" if image in found else ""


def _names_classes(columns: tuple[str, ...]) -> bool:
    return len(columns) == 2 and columns[1].strip().lower() in _CLASS_COLUMNS


def _is_below(home: Path, image: str) -> bool:
    """Tell whether a file is there, without leaving the folder."""
    inside = not Path(image).is_absolute() and ".." not in Path(image).parts
    return inside and (home / image).is_file()


def _is_label(pair: object) -> bool:
    if not isinstance(pair, tuple) or len(pair) != 2:
        return False
    label = pair[1]
    return isinstance(label, str) or (isinstance(label, int) and label >= 0)


def _read_pairs(table: Path) -> dict[str, tuple[str, ...]]:
    """Read a table of images and their class."""
    first, second = tables.columns(table)
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, cells in tables.read(table):
        if not cells or not cells[second].strip():
            problems.append(f"{table.name} line {number}: expected an image and its class")
        elif cells[first] in found:
            problems.append(f"{table.name} line {number}: {cells[first]} has a row already")
        else:
            found[cells[first]] = (cells[second].strip(),)
    refuse(problems)
    return found
