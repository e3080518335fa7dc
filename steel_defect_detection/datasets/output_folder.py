"""Folders that data sets are written to: never mixed, with names that every system takes."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from steel_defect_detection.errors import ResultsError

# Most file systems take 255 bytes; a number, an ending and a neighbour's name need some.
_LONGEST_BYTES = 150

# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_RESERVED = {"CON", "PRN", "AUX", "NUL"} | {
    f"{port}{n}" for port in ("COM", "LPT") for n in "123456789"
}


def prepare(folder: Path, *, overwrite: bool) -> None:
    """Make sure that a folder can be written, before any work is done.

    Args:
        folder: Made if it is not there; nothing in it is deleted.
        overwrite: Whether it may hold something already.

    Raises:
        ResultsError: If it cannot be written, or holds something and must not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        first = next(folder.iterdir(), None)
    except OSError as error:
        msg = f"{folder} cannot be made or read: {error.strerror or error}"
        raise ResultsError(msg) from error
    if not os.access(folder, os.W_OK):
        msg = f"{folder} cannot be written; name another folder or change its permissions"
        raise ResultsError(msg)
    if first is not None and not overwrite:
        msg = (
            f"{folder} is not empty: it holds {first.name}. Name another folder or add --overwrite"
        )
        raise ResultsError(msg)


def refuse_strangers(folder: Path, written: Iterable[Path]) -> None:
    """Raise if a folder holds files that would stay beside those about to be written.

    Args:
        folder: Where to look, also in the folders below.
        written: What is going to be written.

    Raises:
        ResultsError: If there are others; a mix of two data sets is neither.
    """
    own = set(written)
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path not in own)
    if others:
        msg = (
            f"{folder} holds {len(others)} files that would be mixed with the new ones, first: "
            f"{others[0].relative_to(folder).as_posix()}. Nothing is deleted; name another folder"
        )
        raise ResultsError(msg)


def refuse_inside(folder: Path, data: Path) -> None:
    """Raise if a folder to write lies among the data that are read.

    Args:
        folder: Folder to write into.
        data: Folder of the data: who reads it again would read both.

    Raises:
        ResultsError: If one lies in the other, or they are the same.
    """
    target, source = folder.resolve(), data.resolve()
    if target.is_relative_to(source):
        msg = f"{folder} lies in {data}, whose images are read: name a folder outside of it"
        raise ResultsError(msg)
    if source.is_relative_to(target):
        msg = f"{data}, whose images are read, lies in {folder}: name another folder to write into"
        raise ResultsError(msg)


def safe_name(text: str) -> str:
    """Turn any text into a name for a file or folder, without ending.

    Args:
        text: Name of an image or class; ``/`` parts folders.

    Returns:
        Letters, digits, ``.``, ``_`` and ``-`` only, not hidden, and nothing
        that Windows reserves.

    Example:
        >>> safe_name("training/000201"), safe_name("a:b?"), safe_name("NUL.txt")
        ('training-000201', 'a_b_', '_NUL.txt')
    """
    plain = unicodedata.normalize("NFC", text).replace("/", "-").replace("\\", "-")
    signs = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in plain)
    short = signs.encode()[:_LONGEST_BYTES].decode(errors="ignore")
    name = short.lstrip(".-").rstrip(".") or "unnamed"
    return f"_{name}" if name.split(".")[0].upper() in _RESERVED else name


def unique_name(text: str, taken: set[str]) -> str:
    """Turn a text into a safe name that no other has.

    Args:
        text: Name of an image or class.
        taken: Names given so far; gets the new one. Some file systems do not
            tell ``A`` from ``a``, so they are kept without case.

    Example:
        >>> taken = set()
        >>> [unique_name(name, taken) for name in ("a?", "A*", "b")]
        ['a_', 'A_-2', 'b']
    """
    first = safe_name(text)
    name, number = first, 1
    while name.casefold() in taken:
        number += 1
        name = f"{first}-{number}"
    taken.add(name.casefold())
    return name
