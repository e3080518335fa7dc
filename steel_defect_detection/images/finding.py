"""Find image files: in folders, by patterns, and the built-in samples."""

import glob
import logging
import os
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import NoReturn

from steel_defect_detection.errors import NoImagesError
from steel_defect_detection.wording import amount

_LOG = logging.getLogger(__name__)

RESULT_FOLDERS = ("masks", "overlays", "probabilities")
"""Folders that a run draws into, below its results folder."""

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


_UNREAD = (
    *(".avif", ".cr2", ".dng", ".exr", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".nef"),
    *(".pbm", ".pgm", ".ppm", ".psd", ".raw", ".tga"),
)
"""Endings of images that are not read."""


def find(sources: Iterable[str | Path], *, skip: Iterable[str | Path] = ()) -> list[Path]:
    """List the images of files, folders and patterns.

    A folder gives the images in it and in the folders below it, sorted. Left
    out are hidden files and folders, the folders in ``skip``, and what an
    earlier run has drawn (``masks``, ``overlays`` and ``probabilities`` beside
    ``run.json`` and ``images.csv``); a source that is itself such a folder gives
    only the images directly in it. Links to folders are not followed.

    Args:
        sources: Files, which are taken whatever their ending; folders; and
            patterns such as ``"coil/**/*.png"``.
        skip: Folders not to look into.

    Returns:
        Each image once, in the order of the sources.

    Raises:
        NoImagesError: If a source does not exist or has no images.
    """
    skipped = frozenset(Path(folder).resolve() for folder in skip)
    found: dict[Path, Path] = {}
    for source in sources:
        for path in _images_of(source, skipped):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def samples() -> list[Path]:
    """List the built-in sample strips: 1600 x 256 pixels each, some with defects."""
    folder = resources.files("steel_defect_detection") / "samples" / "train_images"
    return find([str(folder)])


def _images_of(source: str | Path, skip: frozenset[Path]) -> list[Path]:
    if not str(source).strip():
        msg = "the name of an image or folder is empty. Name a file, a folder or a pattern"
        raise NoImagesError(msg)
    path = Path(source)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        msg = f"{path} cannot be reached: {error.strerror}"
        raise NoImagesError(msg) from error
    if exists and not is_folder:
        return [path]
    if not exists and not glob.has_magic(str(path)):
        msg = f"no such file or folder: {str(path)!r}"
        raise NoImagesError(msg)
    found = _images_below(path, skip) if is_folder else _matches(str(path), skip)
    if not found:
        where = "in" if is_folder else "match"
        msg = f"no images {where} {str(path)!r}: looked for {' '.join(EXTENSIONS)}"
        if is_folder and any(_is_closed(path / name, skip) for name in RESULT_FOLDERS):
            msg = (
                f"no images in {str(path)!r} but the masks and overlays of an earlier run. Name "
                "the folder of the photographs"
            )
        raise NoImagesError(msg)
    return found


def _images_below(folder: Path, skip: frozenset[Path]) -> list[Path]:
    found: list[Path] = []
    unread: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_refuse_folder):
        here = Path(place)
        unread += [here / name for name in names if name.lower().endswith(_UNREAD)]
        found += [here / name for name in names if _is_image(name)]
        # Only the first folder can be closed here, because those below are never entered.
        below = [] if _is_closed(here, skip) else folders
        folders[:] = [
            name for name in below if name[0] != "." and not _is_closed(here / name, skip)
        ]
    if unread:
        _LOG.info(
            "%s left out, of kinds that are not read, such as %s: save them as PNG",
            amount(len(unread), "image"),
            min(unread),
        )
    return sorted(found, key=Path.as_posix)


def _refuse_folder(error: OSError) -> NoReturn:
    msg = f"{error.filename} cannot be listed: {error.strerror}"
    raise NoImagesError(msg) from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(EXTENSIONS)


def _is_closed(folder: Path, skip: frozenset[Path]) -> bool:
    run = folder.parent
    is_result = (run / "run.json").is_file() and (run / "images.csv").is_file()
    return (is_result and folder.name in RESULT_FOLDERS) or folder.resolve() in skip


def _matches(pattern: str, skip: frozenset[Path]) -> list[Path]:
    fixed = Path(pattern)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    found: list[Path] = []
    # Path.glob would take hidden files too, and refuse patterns that start at the root.
    for match in sorted(map(Path, glob.glob(pattern, recursive=True)), key=Path.as_posix):  # noqa: PTH207
        below_fixed = [match, *match.parents][: len(match.parts) - len(fixed.parts)]
        if any(_is_closed(folder, skip) for folder in below_fixed):
            continue
        if match.is_dir():
            found += _images_below(match, skip)
        elif _is_image(match.name):
            found.append(match)
    return found
