"""Unpacking archives that nobody has vouched for.

A member may be a folder or a plain file below the target, nothing else. What
would end elsewhere (absolute, ``..``, a drive letter, a backslash), points
elsewhere (links) or is no file (devices) refuses the whole archive: a data set
with such a member is not the one that was asked for. What an archive says
about its sizes is believed for refusing it early, never for accepting it; the
bytes that are really written are counted.
"""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO, cast

from steel_defect_detection.download import space
from steel_defect_detection.errors import DownloadError, SteelDefectError

_CHUNK = 2**17
# Less is no danger, however well it was compressed.
_HARMLESS_BYTES = 2**20
# What stands between two members of a tar: headers, long names, padding.
_TAR_HEADERS_BYTES = 2**20
_TAR_BLOCK_BYTES = 512
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_COMPRESSIONS: dict[bytes, Callable[[Path], BufferedIOBase]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


class RefusedError(DownloadError):
    """An archive that must not or cannot be unpacked, however much room there is."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may become.

    Args:
        members: Most files and folders.
        total_bytes: Most bytes written.
        ratio: Most bytes written per byte of the archive. Photographs hardly
            compress, masks by a factor of up to a thousand; together they stay
            far below this.
    """

    members: int = 500_000
    total_bytes: int = 64 * 2**30
    ratio: int = 100


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A member: its name as the archive spells it, and its bytes unless it is a folder."""

    name: str
    open: Callable[[], IO[bytes] | None] | None


def unpack(archive: Path, folder: Path, *, limits: Limits | None = None) -> int:
    """Unpack a zip or tar archive into a folder.

    Args:
        archive: File to read: zip, or tar plain or compressed with gzip,
            bzip2 or xz. Its content decides, not its name.
        folder: Empty folder to write into. After an error it holds rubbish.
        limits: What the archive may become.

    Returns:
        How many files were written.

    Raises:
        RefusedError: If it is no archive, is damaged or encrypted, holds a
            member that is refused, or becomes larger than the limits.
        DownloadError: If there is no room, or the folder cannot be written.
    """
    try:
        return _unpack(archive, folder, limits or Limits())
    except SteelDefectError:
        raise
    except _DAMAGE as error:
        msg = f"{archive} is damaged: {error}"
        raise RefusedError(msg) from error
    except OSError as error:
        msg = f"{archive} cannot be unpacked into {folder}: {error.strerror or error}"
        raise DownloadError(msg) from error


def _unpack(archive: Path, folder: Path, limits: Limits) -> int:
    budget = _Budget(archive, limits)
    names = _Names(archive)
    file_count = 0
    with closing(_members(archive, folder, budget)) as members:
        for member in members:
            budget.count_member()
            parts = names.check(member.name, is_folder=member.open is None)
            target = folder.joinpath(*parts)
            if member.open is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(member.open(), target, budget)
            file_count += 1
    return file_count


def _write(content: IO[bytes] | None, target: Path, budget: "_Budget") -> None:
    with content or BytesIO() as source, target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            budget.spend(len(chunk))
            file.write(chunk)


class _Budget:
    """Counts what is written, and stops it."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._member_count = 0
        self._spent = 0
        compressed = archive.stat().st_size
        self._most = min(limits.total_bytes, max(limits.ratio * compressed, _HARMLESS_BYTES))

    def count_member(self, number: int = 1) -> None:
        self._member_count += number
        if self._member_count > self._limits.members:
            self._refuse(f"holds more than {self._limits.members} members")

    def spend(self, size: int) -> None:
        self._spent += size
        self.announce(0)

    def announce(self, size: int) -> None:
        """Stop before anything is written that would go beyond the limit."""
        if self._spent + size > self._most:
            self._refuse(
                f"would become larger than {space.readable(self._most)}; at most "
                f"{self._limits.ratio} times the archive's size and "
                f"{space.readable(self._limits.total_bytes)} are unpacked"
            )

    def _refuse(self, problem: str) -> None:
        msg = f"{self._archive} {problem}"
        raise RefusedError(msg)


class _Names:
    """The names so far, as they would be told apart on the least careful file system."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._spellings: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._files: set[tuple[str, ...]] = set()
        self._folders: set[tuple[str, ...]] = set()

    def check(self, name: str, *, is_folder: bool) -> tuple[str, ...]:
        """Return the parts of a name that is fit to be written.

        Raises:
            RefusedError: If it leaves the folder or meets another name.
        """
        problem = _bad_name(name)
        parts = tuple(part for part in name.split("/") if part not in {"", "."})
        if problem is None and not parts and not is_folder:
            problem = "has no name"
        problem = problem or self._clash(parts, is_folder=is_folder)
        if problem:
            msg = f"{self._archive} was refused: its member {name!r} {problem}"
            raise RefusedError(msg)
        return parts

    def _clash(self, parts: tuple[str, ...], *, is_folder: bool) -> str | None:
        keys = tuple(_key(part) for part in parts)
        for depth in range(1, len(parts) + 1):
            spelling = self._spellings.setdefault(keys[:depth], parts[:depth])
            if spelling != parts[:depth]:
                return f"differs from {'/'.join(spelling)!r} in letter case or form only"
            if keys[:depth] in self._files:
                return "is there twice"
            if depth < len(parts):
                self._folders.add(keys[:depth])
        if is_folder:
            self._folders.add(keys)
        elif keys in self._folders:
            return "is both a file and a folder"
        else:
            self._files.add(keys)
        return None


def _bad_name(name: str) -> str | None:
    parts = name.split("/")
    problems = {
        "is an absolute path": name.startswith("/"),
        "climbs out of the folder": ".." in parts,
        "holds a backslash": "\\" in name,
        "holds a colon, as drive letters do": ":" in name,
        "holds a control character": any(ord(letter) < 32 for letter in name),
        "is a device on some systems": any(_RESERVED.fullmatch(part.strip(" ")) for part in parts),
    }
    return next((problem for problem, found in problems.items() if found), None)


def _key(part: str) -> str:
    # Windows ignores case and dots and spaces at the end, macOS also how accents are composed.
    return unicodedata.normalize("NFKC", part).casefold().rstrip(". ")


def _members(archive: Path, folder: Path, budget: _Budget) -> Generator[_Member]:
    with archive.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_members(archive, folder, budget)
    compressed = any(start.startswith(magic) for magic in _COMPRESSIONS)
    if compressed or start[257:262] == b"ustar":
        return _tar_members(archive, folder)
    what = "a web page" if start.lstrip()[:1] == b"<" else "something else"
    msg = f"{archive} is neither a zip nor a tar archive but {what}"
    raise RefusedError(msg)


def _zip_members(archive: Path, folder: Path, budget: _Budget) -> Generator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        budget.announce(sum(info.file_size for info in infos))
        space.require(folder, sum(info.file_size for info in infos), purpose=f"for {archive.name}")
        for info in infos:
            _check_zip_member(archive, info)
            # As the archive spells it: Python cuts names at a NUL and turns backslashes on Windows.
            name = info.orig_filename if "\0" in info.orig_filename else info.filename
            yield _Member(name=name, open=None if info.is_dir() else partial(opened.open, info))


def _check_zip_member(archive: Path, info: zipfile.ZipInfo) -> None:
    problem = None
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & 0x1:
        problem = "is encrypted"
    elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        problem = "is a link" if kind == stat.S_IFLNK else "is a device"
    elif "\\" in info.orig_filename:
        problem = "holds a backslash"
    elif info.is_dir() and info.file_size:
        problem = "is a folder with content"
    if problem:
        msg = f"{archive} was refused: its member {info.orig_filename!r} {problem}"
        raise RefusedError(msg)


def _tar_members(archive: Path, folder: Path) -> Generator[_Member]:
    # What will come out of it is not known beforehand; it is hardly less than this.
    space.require(folder, archive.stat().st_size, purpose=f"for {archive.name}")
    with closing(_Rationed(archive)) as source:
        # `r|` reads from front to back and asks for nothing but `read`.
        opened = tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|")  # noqa: SIM115
        while (info := opened.next()) is not None:
            problem = _bad_kind(info)
            if problem:
                msg = f"{archive} was refused: its member {info.name!r} {problem}"
                raise RefusedError(msg)
            source.allow(info.size if info.isreg() else 0)
            content = partial(opened.extractfile, info) if info.isreg() else None
            yield _Member(name=info.name, open=content)
        source.check_end(cast("IO[bytes]", opened.fileobj))


def _bad_kind(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return f"is a link to {info.linkname!r}"
    if info.issparse():
        return "is a sparse file"
    return None if info.isreg() or info.isdir() else "is a device"


class _Rationed:
    """The bytes of a tar, unpacked; headers cannot ask for more than their ration.

    ``tarfile`` reads a header of any length into memory, and a header of many
    gigabytes compresses to almost nothing.
    """

    def __init__(self, archive: Path) -> None:
        with archive.open("rb") as file:
            start = file.read(6)
        found = [opener for magic, opener in _COMPRESSIONS.items() if start.startswith(magic)]
        self._archive = archive
        self._file = found[0](archive) if found else archive.open("rb")
        self._left = _TAR_HEADERS_BYTES
        self._tail = b""

    def allow(self, size: int) -> None:
        """Let the content of a member through, and the headers of the next."""
        self._left = size + _TAR_HEADERS_BYTES

    def read(self, size: int) -> bytes:
        """Read on, as ``tarfile`` asks for it."""
        data = self._file.read(size)
        self._left -= len(data)
        self._tail = (self._tail + data)[-_TAR_BLOCK_BYTES:]
        if self._left < 0:
            msg = f"{self._archive} was refused: its headers are longer than any real ones"
            raise RefusedError(msg)
        return data

    def check_end(self, rest: IO[bytes]) -> None:
        """Refuse what does not end in zeros, or goes on after a header that cannot be read."""
        goes_on = any(data.strip(b"\0") for data in iter(lambda: rest.read(_CHUNK), b""))
        if goes_on or not self._tail or self._tail.strip(b"\0"):
            msg = "it has no end, or goes on after it"
            raise EOFError(msg)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
