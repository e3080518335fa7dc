"""Numbers with a header in one ``.safetensors`` file; nothing in it is executed.

The header is a pydantic model, kept as JSON under a key of its own in the
file's metadata. Whatever is wrong with a file is said in one line.

Format: https://github.com/huggingface/safetensors
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError

from steel_defect_detection import files
from steel_defect_detection.errors import CheckpointError

Tensors = Mapping[str, NDArray[np.generic]]
"""Numbers by name."""

Kind = TypeVar("Kind", bound=BaseModel)


_DIGEST = "sha256_of_numbers"
"""Key beside those of the header; files of before have none."""

_LOOKED_AT = 200
_SPACE = 0x20


class Content(NamedTuple, Generic[Kind]):
    """What a file holds.

    Args:
        header: Everything but the numbers.
        tensors: The numbers, as they are stored.
        sha256: Hash of the file.
    """

    header: Kind
    tensors: dict[str, NDArray[np.generic]]
    sha256: str


def read(path: Path, key: str, kind: type[Kind], *, newest: int, foreign: str) -> Content[Kind]:
    """Read a file.

    Args:
        path: The file.
        key: What its header is kept under.
        kind: What its header is; it has a ``format_version``.
        newest: Newest version of the format that is understood.
        foreign: What to say, after the path, of a file without such a header.

    Raises:
        CheckpointError: If the file cannot be read, or is damaged, of another
            kind, or of a newer version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}"
        raise CheckpointError(msg) from error
    try:
        tensors = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        msg = f"{path} is no intact .safetensors file: {_rather(data) or f'{error}. Copy it again'}"
        raise CheckpointError(msg) from error
    text = _metadata(data).get(key)
    if text is None:
        msg = f"{path} {foreign}: its header has no {key!r}"
        raise CheckpointError(msg)
    header = _header(str(text), path, kind, newest)
    # After the header, which is the first thing to be wrong in a file of another kind.
    if json.loads(str(text)).get(_DIGEST) not in {None, _digest(data)}:
        msg = f"{path} is damaged: its numbers are not those it was saved with. Copy it again"
        raise CheckpointError(msg)
    return Content(header, tensors, hashlib.sha256(data).hexdigest())


def write(path: Path, key: str, header: BaseModel, tensors: Tensors) -> None:
    """Write a file, completely or not at all.

    Args:
        path: The file.
        key: What the header is kept under.
        header: Everything but the numbers.
        tensors: The numbers by name.

    Raises:
        ResultsError: If it cannot be written there.
    """
    stored = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    # The order of the numbers does not depend on what stands before them.
    digest = _digest(safetensors.numpy.save(stored))
    content = {**header.model_dump(mode="json"), _DIGEST: digest}
    # One key, for the library writes several in any order, and the same model is the same file.
    metadata = {key: json.dumps(content, ensure_ascii=False, separators=(",", ":"))}
    files.write_bytes(path, safetensors.numpy.save(stored, metadata=metadata))


def _rather(data: bytes) -> str:
    """What a file rather is, if it begins like something that people mistake for a model."""
    if not data:
        return "it is empty"
    if data.startswith((b"PK", b"\x80")):
        return (
            "it looks like a file of PyTorch, which may hold code and is not read here. Of a run "
            "name the folder; from weights learned on ImageNet train with sdd-train --init"
        )
    if data.startswith((b"\xff\xd8", b"\x89PNG", b"BM", b"II*", b"MM\0*")):
        return "it is an image"
    beginning = data[:_LOOKED_AT]
    if beginning.isascii() and all(byte >= _SPACE or byte in b"\t\r\n" for byte in beginning):
        return "it is text"
    return ""


def _digest(data: bytes) -> str:
    """Hash of the numbers of a file that the library has found to be sound."""
    start = 8 + int.from_bytes(data[:8], "little")
    return hashlib.sha256(memoryview(data)[start:]).hexdigest()


def _metadata(data: bytes) -> dict[str, object]:
    """Read the metadata of a header, which the library has found to be sound."""
    length = int.from_bytes(data[:8], "little")
    return dict(json.loads(data[8 : 8 + length]).get("__metadata__") or {})


def _header(text: str, path: Path, kind: type[Kind], newest: int) -> Kind:
    try:
        content = json.loads(text)
        version = content.get("format_version")
        content.pop(_DIGEST, None)
        if version == newest or not isinstance(version, int | None):
            return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        what = first["msg"].removeprefix("Value error, ")
        msg = f"{path} has a header that cannot be used: {f'{place}: ' if place else ''}{what}"
        raise CheckpointError(msg) from error
    except (ValueError, AttributeError) as error:
        msg = f"{path} has a header that is no JSON object: {error}"
        raise CheckpointError(msg) from error
    if version is None:
        msg = f"{path} has a header without the number of its format, format_version"
        raise CheckpointError(msg)
    advice = (
        "Upgrade steel-defect-detection" if version > newest else "Nothing of that format is known"
    )
    msg = f"{path} has format {version}, this version reads format {newest}. {advice}"
    raise CheckpointError(msg)
