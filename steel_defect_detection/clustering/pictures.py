"""Crops on disk: found, brought to one size, and kept in one array that is read in parts."""

from collections.abc import Iterator, Sequence
from io import BufferedWriter
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from steel_defect_detection import images
from steel_defect_detection.datasets.problems import Problem
from steel_defect_detection.errors import ImageError, NoImagesError, ResultsError
from steel_defect_detection.progress import progress_bar

BATCH = 32
"""Crops that are in memory at the same time."""


def find(folder: Path, *, skip: Sequence[Path] = ()) -> list[Path]:
    """Find the crops of a folder and of those below it, in the order of their names.

    Args:
        folder: Where they lie.
        skip: Folders not to look into.

    Raises:
        NoImagesError: If there are none, or no such folder.
    """
    if not folder.is_dir():
        msg = f"expected a folder of crops, got {str(folder)!r}, which is none"
        raise NoImagesError(msg)
    found = images.find([folder], skip=skip)
    return sorted(found, key=lambda path: name_of(path, folder))


def name_of(path: Path, folder: Path) -> str:
    """Name of a crop: its path below the folder, with ``/`` between the parts."""
    return path.relative_to(folder).as_posix()


def read(path: Path, size: int) -> NDArray[np.uint8]:
    """Read a crop and bring it to a square, whatever its shape.

    Args:
        path: An image file.
        size: Side of the square, in pixels.

    Returns:
        Red, green, blue, uint8, shape ``(size, size, 3)``.

    Raises:
        ImageError: If it cannot be read.
    """
    picture = images.read(path)
    smaller = min(picture.shape[:2]) > size
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how), dtype=np.uint8)


def readable(
    paths: Sequence[Path], size: int, problems: list[Problem], *, progress: bool = False
) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Read crops one after the other, and pass over those that cannot be read.

    Args:
        paths: Image files.
        size: Side of the squares, in pixels.
        problems: Gets those that cannot be read.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Yields:
        File and crop.
    """
    for path in progress_bar(paths, what="reading", unit="crop", shown=progress):
        try:
            crop = read(path, size)
        except ImageError as error:
            problems.append(Problem(str(path), str(error)))
        else:
            yield path, crop


def write(
    paths: Sequence[Path],
    target: Path,
    size: int,
    problems: list[Problem],
    *,
    progress: bool = False,
) -> list[Path]:
    """Write crops into one array, one after the other, so that one is in memory at a time.

    Args:
        paths: Image files.
        target: The array: uint8, shape ``(crops, size, size, 3)``, red, green,
            blue. An old one stays as it is until the new one is complete.
        size: Side of the squares, in pixels.
        problems: Gets those that cannot be read; they are left out.
        progress: Whether to show how far it is, as ``progress_bar`` does.

    Returns:
        The files whose crops were written, in order.

    Raises:
        ImageError: If none of them can be read.
        ResultsError: If the array cannot be written.
    """
    neighbour = target.with_name(f".{uuid4().hex}.part")
    kept = []
    try:
        with neighbour.open("wb") as file:
            _write_header(file, 0, size)
            for path, crop in readable(paths, size, problems, progress=progress):
                file.write(crop.tobytes())
                kept.append(path)
            # NumPy leaves room in the header for a longer first number.
            file.seek(0)
            _write_header(file, len(kept), size)
        if not kept:
            msg = f"none of {len(paths)} crops can be read, first {problems[0].problem}"
            raise ImageError(msg)
        neighbour.replace(target)
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise ResultsError(msg) from error
    finally:
        neighbour.unlink(missing_ok=True)
    return kept


def batches(array: Path, *, progress: bool = False) -> Iterator[NDArray[np.uint8]]:
    """Read an array in parts of ``BATCH`` crops.

    Args:
        array: What ``write`` has written.
        progress: Whether to show how far it is, as ``progress_bar`` does.
    """
    count = len(np.load(array, mmap_mode="r"))
    starts = range(0, count, BATCH)
    for start in progress_bar(starts, what="looking", unit="batch", shown=progress):
        # Opened anew each time: an array that stays open keeps all pages that were touched.
        yield np.array(np.load(array, mmap_mode="r")[start : start + BATCH])


def _write_header(file: BufferedWriter, count: int, size: int) -> None:
    described = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    npy.write_array_header_1_0(file, described)
