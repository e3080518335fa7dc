"""Annotations of Severstal images without the images themselves.

A folder holds one or both of

* a table ``ImageId,defect_1,defect_2,defect_3,defect_4`` of 0 and 1: which
  classes an image shows;
* a table of run lengths in a form that ``severstal`` reads, and a ``.txt`` file
  that lists, one name per line, which images it speaks of (those without a row
  are clean). Without a list it speaks of the images that have rows.

Every image of the competition has 256 x 1600 pixels, so masks can be read.
"""

from pathlib import Path

from steel_defect_detection.datasets import class_names, label_files, severstal, tables
from steel_defect_detection.datasets.dataset import Dataset, Entry
from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import AnnotationError, DatasetNotFoundError

_LABEL_COLUMNS = ("ImageId", *severstal.CLASSES)
_RUN_COLUMNS = (severstal.NEW_COLUMNS, severstal.OLD_COLUMNS)


def read(folder: Path | str) -> Dataset:
    """Read a folder of annotations.

    Args:
        folder: Folder with the tables.

    Returns:
        All images that any table names, sorted by name, without pixels; with
        masks where there are run lengths.

    Raises:
        DatasetNotFoundError: If there is no such table.
        AnnotationError: If one is malformed or the two contradict each other;
            up to ten problems at once.
    """
    folder = Path(folder)
    labels, runs = _find(folder, _LABEL_COLUMNS), _find_runs(folder)
    if labels is None and runs is None:
        msg = f"no Severstal annotations in {str(folder)!r}: there is no table of runs or labels"
        raise DatasetNotFoundError(msg)
    entries = {} if labels is None else _labelled(labels)
    if runs is not None:
        outlined = _outlined(runs, folder)
        refuse(_contradictions(entries, outlined))
        entries |= outlined
    ordered = tuple(entries[name] for name in sorted(entries))
    return Dataset(classes=severstal.CLASSES, entries=ordered)


def is_layout(folder: Path) -> bool:
    """Tell whether a folder holds such tables, but no images."""
    if (folder / "train_images").exists() or (folder / "images").exists():
        return False
    accepted = (_LABEL_COLUMNS, *_RUN_COLUMNS)
    return any(_is_table(path, accepted) for path in sorted(folder.glob("*.csv")))


def _find(folder: Path, *accepted: tuple[str, ...]) -> Path | None:
    """Find the first table with such columns."""
    paths = sorted(folder.glob("*.csv"))
    return next((path for path in paths if tables.columns(path) in accepted), None)


def _find_runs(folder: Path) -> Path | None:
    return _find(folder, *_RUN_COLUMNS)


def _is_table(path: Path, accepted: tuple[tuple[str, ...], ...]) -> bool:
    """Tell whether a file is such a table; one that cannot be read is none."""
    try:
        return tables.columns(path) in accepted
    except AnnotationError:
        return False


def _labelled(table: Path) -> dict[str, Entry]:
    classes, rows = label_files.read_columns(table)
    return {
        name: Entry(
            name=name, shape=severstal.SHAPE, labels=tuple(label in found for label in classes)
        )
        for name, found in rows.items()
    }


def _outlined(table: Path, folder: Path) -> dict[str, Entry]:
    lists = sorted(folder.glob("*.txt"))
    names = class_names.read(lists[0]) if lists else severstal.names_in(table)
    source = lists[0].name if lists else table.name
    entries = [Entry(name=name, shape=severstal.SHAPE) for name in names]
    annotated = severstal.annotate(entries, table, source).entries
    return {entry.name: entry for entry in annotated}


def _contradictions(labelled: dict[str, Entry], outlined: dict[str, Entry]) -> list[str]:
    return [
        f"{name} has runs of other classes than its labels say"
        for name, entry in sorted(outlined.items())
        if name in labelled and labelled[name].labels != entry.labels
    ]
