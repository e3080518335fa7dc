"""A file of which a part is there, and what is known about the rest.

``NAME.partial`` holds the first bytes of ``NAME``; ``NAME.partial.json`` says
where they came from and what the server called that version of the file. Only
both together are worth going on with: the notes are deleted before the bytes
are, and written after.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steel_defect_detection import files


@dataclass(frozen=True, kw_only=True)
class Version:
    """What a server calls the present version of a file.

    Args:
        address: Where the file lies, without credentials.
        etag: Its ``ETag``, empty without one.
        modified: Its ``Last-Modified``, empty without one.
        size: Its whole size in bytes, where the server says so.
    """

    address: str
    etag: str = ""
    modified: str = ""
    size: int | None = None

    @property
    def validator(self) -> str:
        """What goes into ``If-Range``; a weak ETag may stand for different bytes."""
        return self.modified if self.etag.startswith("W/") else self.etag or self.modified


class Partial:
    """The part of a file that is there.

    Args:
        target: File that it shall become.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.partial")
        self._notes = target.with_name(f"{target.name}.partial.json")

    @property
    def length(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """Which version the bytes are of, if that is known."""
        try:
            return _checked(json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    def begin(self, version: Version) -> None:
        """Start from nothing with another version."""
        self.drop()
        self.path.touch()
        files.write_text(self._notes, json.dumps(asdict(version)))

    def drop(self) -> None:
        """Forget what is there."""
        self._notes.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Let the file appear under its name, complete."""
        self.path.replace(self.target)
        self._notes.unlink(missing_ok=True)


def _checked(values: Any) -> Version | None:
    if not isinstance(values, dict):
        return None
    address, etag, modified = (
        str(values.get(name, "")) for name in ("address", "etag", "modified")
    )
    size = values.get("size")
    size = size if isinstance(size, int) else None
    return Version(address=address, etag=etag, modified=modified, size=size)
