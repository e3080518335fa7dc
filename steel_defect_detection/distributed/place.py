"""Files at an address: a folder of this machine, or object storage by fsspec."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from steel_defect_detection import extras, files
from steel_defect_detection.errors import ResultsError, SteelDefectError

_LONGEST_REASON = 200
# The kinds of address whose packages the extra installs; fsspec knows others.
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


def open_system(address: str) -> tuple[Any, str]:
    """Open the file system of an address.

    Args:
        address: An address, or a path of this machine.

    Returns:
        The file system (fsspec), and the path in it.

    Raises:
        MissingExtraError: If fsspec, or its package for this kind of address, is
            not installed.
        ResultsError: If there is no such kind of address, or it cannot be opened.
    """
    fsspec = extras.load("fsspec", extra="ray")
    kind = address.partition("://")[0]
    if kind in _PACKAGES:
        extras.load(_PACKAGES[kind], extra="ray")
    with _told(f"{address} cannot be opened"):
        return fsspec.core.url_to_fs(address)  # type: ignore[no-any-return]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever a kind of address raises into one error; each has errors of its own."""
    try:
        yield
    except (SteelDefectError, FileNotFoundError):
        raise
    except Exception as error:
        msg = f"{what}: {reason(error)}"
        raise ResultsError(msg) from error


def read(address: str) -> bytes:
    """Read a file.

    Args:
        address: An address, or a path of this machine.

    Raises:
        OSError: If it cannot be read.
    """
    if not files.is_address(address):
        return Path(address).read_bytes()
    system, path = open_system(address)
    with _told(f"{address} cannot be read"):
        return bytes(system.cat_file(path))


def reason(error: BaseException) -> str:
    """Say in one line why something went wrong."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words[:_LONGEST_REASON]


class Place:
    """A folder at an address, into which whole files are written.

    Whoever reads a file sees all of it or none: object storage does so by itself, and
    on a disk a file is written beside its place and moved there.

    Args:
        address: A folder of this machine, or an address.
    """

    def __init__(self, address: str) -> None:
        """Open its file system."""
        self.address = address.rstrip("/") if files.is_address(address) else address
        self._system: Any = None
        if files.is_address(address):
            self._system, self._root = open_system(self.address)

    def write(self, name: str, data: bytes) -> None:
        """Write a file.

        Args:
            name: Its path below this place.
            data: What it is to hold.

        Raises:
            ResultsError: If that fails.
        """
        if self._system is None:
            files.write_bytes(Path(self.address) / name, data)
            return
        what = f"{self.address}/{name} cannot be written"
        try:
            with _told(what):
                self._system.pipe_file(f"{self._root}/{name}", data)
        except FileNotFoundError as error:
            msg = f"{what}: {reason(error)}"
            raise ResultsError(msg) from error

    def read(self, name: str) -> bytes | None:
        """Read a file; None if there is none.

        Args:
            name: Its path below this place.

        Raises:
            ResultsError: If it is there and cannot be read.
        """
        try:
            with _told(f"{self.address}/{name} cannot be read"):
                if self._system is None:
                    return (Path(self.address) / name).read_bytes()
                return bytes(self._system.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        """Whether a file is there.

        Args:
            name: Its path below this place.

        Raises:
            ResultsError: If that cannot be found out.
        """
        with _told(f"{self.address}/{name} cannot be looked for"):
            if self._system is None:
                return (Path(self.address) / name).is_file()
            return bool(self._system.isfile(f"{self._root}/{name}"))

    def names(self, folder: str = "") -> list[str]:
        """List what lies directly in a folder of this place, sorted; nothing if there is none.

        Args:
            folder: Its path below this place.

        Raises:
            ResultsError: If it is there and cannot be listed.
        """
        try:
            with _told(f"{self.address} cannot be listed"):
                if self._system is None:
                    return sorted(path.name for path in (Path(self.address) / folder).iterdir())
                self._system.invalidate_cache()
                found = self._system.ls(f"{self._root}/{folder}".rstrip("/"), detail=False)
                return sorted(one.rstrip("/").rpartition("/")[2] for one in found)
        except FileNotFoundError:
            return []

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Args:
            name: Its path below this place.

        Raises:
            ResultsError: If it cannot be removed.
        """
        with _told(f"{self.address}/{name} cannot be removed"):
            if self._system is None:
                (Path(self.address) / name).unlink(missing_ok=True)
            elif self._system.exists(f"{self._root}/{name}"):
                self._system.rm_file(f"{self._root}/{name}")
