"""Write a file completely or not at all.

A reader sees the old file or the new one, never half of one: the bytes go to a
hidden neighbour first, which takes the file's place once they lie on the disk.
"""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import uuid4

from steel_defect_detection.errors import ResultsError


def write_bytes(path: str | Path, data: bytes | memoryview) -> None:
    """Write bytes to a file, completely or not at all.

    Args:
        path: File to write; what was there is replaced, and missing folders
            above it are made.
        data: Whole content of the file.

    Raises:
        ResultsError: If it cannot be written there; an old file stays as it
            was.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"the folder {target.parent} cannot be made ({error.strerror or error})"
        msg = f"{target} cannot be written: {reason}"
        raise ResultsError(msg) from error
    try:
        _replace(target, data)
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error


def write_text(path: str | Path, text: str) -> None:
    r"""Write text to a file as UTF-8, completely or not at all.

    Args:
        path: File to write; what was there is replaced, and missing folders
            above it are made.
        text: Whole content of the file; its line ends are kept, so ``\n`` is
            one byte on every system.

    Raises:
        ResultsError: If it cannot be written there; an old file stays as it
            was.
    """
    write_bytes(path, text.encode("utf-8"))


def write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table (csv), completely or not at all.

    Args:
        path: File to write; what was there is replaced, and missing folders
            above it are made.
        columns: Names of the columns.
        rows: Cells, row by row. Bytes of a file's name that are no text are
            written as ``as_text`` says.

    Raises:
        ResultsError: If it cannot be written there; an old file stays as it
            was.
    """
    write_text(path, table(columns, rows))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Text of a table (csv).

    Args:
        columns: Names of the columns.
        rows: Cells, row by row. Bytes of a file's name that are no text are
            written as ``as_text`` says.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return as_text(text.getvalue())


def as_text(name: str) -> str:
    r"""Write bytes of a file's name that are no text as \udc80 to \udcff.

    Example:
        >>> print(as_text("strip-\udcff.png"))
        strip-\udcff.png
    """
    return name.encode("utf-8", "backslashreplace").decode()


def is_address(text: str) -> bool:
    """Whether a text is an address such as ``s3://bucket/folder``, and no path."""
    return "://" in text


def refuse_unwritable(path: str | Path, *, is_folder: bool = False) -> None:
    """Raise if a file or folder can certainly not be written, before any work is done for it.

    Args:
        path: The file or folder; nothing is made or changed.
        is_folder: Whether it is a folder, in which files are to be written.

    Raises:
        ResultsError: If its folder cannot be written, or a file is a folder or a
            folder a file.
    """
    target = Path(path)
    places = [target.absolute(), *target.absolute().parents]
    above = next(folder for folder in places[not is_folder :] if folder.exists())
    reason = ""
    if target.is_dir() and not is_folder:
        reason = "it is a folder"
    elif not above.is_dir():
        reason = f"{above} is no folder"
    elif not os.access(above, os.W_OK):
        reason = f"nothing may be written in {above}"
    if reason:
        msg = f"{target} cannot be written: {reason}"
        raise ResultsError(msg)


def _replace(target: Path, data: bytes | memoryview) -> None:
    # In the same folder, because only within one file system a file is replaced at once.
    neighbour = target.with_name(f".{uuid4().hex}.part")
    try:
        # Opened plainly, so that it gets the usual permissions; `tempfile` would hide it from
        # everybody else.
        with neighbour.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        neighbour.replace(target)
    finally:
        neighbour.unlink(missing_ok=True)
