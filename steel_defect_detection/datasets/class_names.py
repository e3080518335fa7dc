"""Names of classes: read from a file, told from labels, and the one that means "good"."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from steel_defect_detection.datasets.problems import refuse
from steel_defect_detection.errors import AnnotationError

FILE = "classes.txt"
"""File of a data set that names its classes, one per line."""

GOOD = ("good", "clean", "ok", "normal", "no_defect", "defect_free")
"""Names of a class, in any case of letters, that mean "free of defects"."""


def read(path: Path) -> tuple[str, ...]:
    """Read names of classes, one per line; nothing if there is no such file.

    Args:
        path: The file, text in UTF-8.

    Raises:
        AnnotationError: If the file is no text, or a name repeats.
    """
    if not path.is_file():
        return ()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} is no text in UTF-8: {error}"
        raise AnnotationError(msg) from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) < len(names):
        msg = f"{path} holds a class name twice"
        raise AnnotationError(msg)
    return names


def by_label(given: Iterable[Sequence[str]], path: Path) -> Mapping[str, str]:
    """Name the classes that labels speak of.

    Args:
        given: Labels of each image: names, or numbers from 0.
        path: ``classes.txt``, the names of the numbered classes; may be
            missing.

    Returns:
        Name by label, in the order of the classes.

    Raises:
        AnnotationError: If a label is not among the names.
    """
    labels = {label for row in given for label in row}
    listed = read(path)
    if all(label.isdecimal() for label in labels):
        count = max((int(label) + 1 for label in labels), default=0)
        if listed and count > len(listed):
            msg = f"{path} names {len(listed)} classes, but there is a label {count - 1}"
            raise AnnotationError(msg)
        known = listed or tuple(f"class_{number}" for number in range(count))
        return {str(number): name for number, name in enumerate(known)}
    unknown = sorted(labels.difference(listed)) if listed else []
    refuse(f"{label!r} is not among the classes of {path}" for label in unknown)
    return {name: name for name in listed or sorted(labels)}


def good(classes: Iterable[str]) -> str | None:
    """Find the first class whose name means "free of defects", if any.

    Example:
        >>> good(("pits", "OK")), good(("pits", "rust"))
        ('OK', None)
    """
    return next((name for name in classes if name.lower() in GOOD), None)


def one_hot(chosen: object, choices: Iterable[object]) -> tuple[bool, ...]:
    """Say of each choice whether it is the chosen one.

    Example:
        >>> one_hot("rust", ("pits", "rust")), one_hot(0, range(2))
        ((False, True), (True, False))
    """
    return tuple(choice == chosen for choice in choices)
