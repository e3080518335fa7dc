"""Model files from a server of one's own.

The server offers plain files below one address. ``index.json`` there says what
they are::

    {"line-7": {"file": "line-7.safetensors", "sha256": "…64 digits…", "size": 31457280}}
"""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from steel_defect_detection.download import transfer
from steel_defect_detection.download.wish import LARGEST, public
from steel_defect_detection.errors import DownloadError

INDEX = "index.json"

_LOG = logging.getLogger(__name__)

_LARGEST_INDEX_BYTES = 2**20


class Entry(BaseModel, frozen=True):
    """One model file on the server.

    Args:
        file: Its name. Only safetensors: reading one executes nothing.
        sha256: Its hash, 64 hexadecimal digits.
        size: Its bytes.
    """

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: Annotated[int, Field(gt=0, le=LARGEST)]


def index(base: str) -> dict[str, Entry]:
    """Read which models a server offers.

    Args:
        base: Address that ``index.json`` and the files lie below.

    Returns:
        The entries by name, as the server orders them.

    Raises:
        DownloadError: If there is no index, or it is malformed.
    """
    address = _below(base, INDEX)
    with TemporaryDirectory() as folder:
        file = Path(folder) / INDEX
        transfer.fetch(address, file, most=_LARGEST_INDEX_BYTES)
        data = file.read_bytes()
    try:
        return TypeAdapter(dict[str, Entry]).validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        msg = f"{public(address)} is no index of models: {where} {first['msg']}"
        raise DownloadError(msg) from error


def download(name: str, base: str, output: Path) -> Path:
    """Fetch a model file by its name, unless it is there already.

    Args:
        name: What the index calls it.
        base: Address that ``index.json`` and the files lie below.
        output: Folder for the file.

    Returns:
        The file, verified; ready for ``sdd-predict --model``.

    Raises:
        DownloadError: If the server has no such model, the transfer fails, or
            another file of that name is in the way.
    """
    offered = index(base)
    if name not in offered:
        names = ", ".join(offered) or "none"
        msg = f"{public(base)} has no model {name!r}; it has: {names}"
        raise DownloadError(msg)
    entry = offered[name]
    target = output / entry.file
    if target.exists():
        transfer.verify(target, entry.sha256)
        _LOG.info("%s is there already; nothing was downloaded", target)
        return target
    address = _below(base, entry.file)
    transfer.fetch(address, target, sha256=entry.sha256, size=entry.size)
    return target


def _below(base: str, file: str) -> str:
    try:
        parts = urlsplit(base)
    except ValueError as error:
        msg = f"{base!r} is no address: {error}"
        raise DownloadError(msg) from error
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{file}", fragment=""))
