"""Images by their addresses: folders, patterns and lists, here or in object storage."""

import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from steel_defect_detection import files, images
from steel_defect_detection.distributed import place
from steel_defect_detection.errors import NoImagesError

if TYPE_CHECKING:
    import pandas as pd

_LISTS = (".csv", ".parquet")
_COLUMNS = ("image", "file", "path", "uri", "imageid", "image_id")
_SIGNS = frozenset("*?[")


class Input(NamedTuple):
    """An image to be judged.

    Args:
        name: What it is called in the results: as it was given.
        address: Where every machine finds it: an absolute path, or an address such as
            ``s3://bucket/coil/0001.png``.
    """

    name: str
    address: str


def find(sources: Iterable[str], *, skip: Iterable[str] = ()) -> list[Input]:
    """List the images of files, folders, patterns and lists.

    A source with ``://`` is an address that fsspec understands, such as
    ``s3://bucket/coil``, ``gs://bucket/*.png`` or ``memory://images``; any other is one of
    this machine, which all workers must be able to read. A source that ends in
    ``.csv`` or ``.parquet`` is a list of files with a column ``image``, ``file``, ``path``,
    ``uri``, ``imageid`` or ``image_id``, of which the first counts; what it names is looked
    for beside it, unless it is an absolute path or an address.

    Args:
        sources: Files, folders, patterns and lists.
        skip: Folders and addresses not to look into.

    Returns:
        Each image once, in the order of the sources.

    Raises:
        NoImagesError: If a source does not exist or has no images.
        MissingExtraError: If the package for a kind of address is not installed.
    """
    skipped = tuple(skip)
    found: dict[str, Input] = {}
    for source in sources:
        for one in _images_of(source, skipped):
            found.setdefault(one.address, one)
    return list(found.values())


def _images_of(source: str, skip: tuple[str, ...]) -> Iterable[Input]:
    if source.lower().endswith(_LISTS):
        return _listed(source)
    if files.is_address(source):
        return _stored(source, skip)
    near = [Path(one) for one in skip if not files.is_address(one)]
    return [_here(path) for path in images.find([source], skip=near)]


def _here(path: Path) -> Input:
    # Links stay as they are: other machines may know the folder by this name only.
    return Input(str(path), os.path.abspath(path))  # noqa: PTH100


def _stored(source: str, skip: tuple[str, ...]) -> list[Input]:
    system, root = place.open_system(source)
    try:
        if _SIGNS & set(root):
            paths = system.glob(root)
        else:
            paths = [root] if system.isfile(root) else system.find(root)
    # Each kind of address has errors of its own: no credentials, no such server.
    except Exception as error:
        msg = f"{source} cannot be listed: {place.reason(error)}"
        raise NoImagesError(msg) from error
    addresses = [system.unstrip_protocol(path) for path in sorted(paths) if _is_image(path, root)]
    below = tuple(f"{one.rstrip('/')}/" for one in skip)
    kept = [one for one in addresses if not one.startswith(below)]
    if not paths:
        msg = f"{source} does not exist, or is empty"
        raise NoImagesError(msg)
    if not kept:
        msg = f"{source} has no images: expected files that end in {', '.join(images.EXTENSIONS)}"
        raise NoImagesError(msg)
    return [Input(one, one) for one in kept]


def _is_image(path: str, root: str) -> bool:
    below = PurePosixPath(path.removeprefix(root)).parts
    is_hidden = any(part.startswith(".") for part in below)
    return not is_hidden and path.lower().endswith(images.EXTENSIONS)


def _listed(source: str) -> Iterator[Input]:
    table = _table(source)
    called = {str(name).strip().lower(): name for name in reversed(table.columns)}
    column = next((called[name] for name in _COLUMNS if name in called), None)
    if column is None:
        found = ", ".join(map(str, table))
        commas = ": cells are parted by commas" if ";" in found else ""
        msg = f"{source} has no column {' or '.join(_COLUMNS)}, but {found}{commas}"
        raise NoImagesError(msg)
    names = table[column].dropna().astype(str).tolist()
    if not names:
        msg = f"{source} names no image"
        raise NoImagesError(msg)
    for name in names:
        if files.is_address(name):
            yield Input(name, name)
        elif files.is_address(source):
            yield Input(
                name, name if name.startswith("/") else f"{source.rpartition('/')[0]}/{name}"
            )
        else:
            yield Input(name, _here(Path(source).parent / name).address)


def _table(source: str) -> "pd.DataFrame":
    import pandas as pd

    try:
        data = BytesIO(place.read(source))
        if source.lower().endswith(".csv"):
            return pd.read_csv(data, dtype=str, keep_default_na=False, na_values=[""])
        return pd.read_parquet(data)
    except (OSError, ValueError) as error:
        msg = f"{source} cannot be read as a list of images: {place.reason(error)}"
        raise NoImagesError(msg) from error
