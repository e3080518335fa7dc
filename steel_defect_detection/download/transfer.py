"""One file from an address onto the disk: resumed, verified, complete or not there.

    request ──▶ NAME.partial (+ what the server calls this version) ──▶ verify ──▶ NAME

A transfer that broke goes on where it stopped only if the server still has the
same version (``If-Range`` with its ``ETag`` or ``Last-Modified``) or if the
hash of the whole is known. Everything that a server says is checked against
what it then does. Proxies, certificates and ``.netrc`` are left to requests.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Never
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from tqdm import tqdm

from steel_defect_detection.download import lock, space
from steel_defect_detection.download.lock import Remark
from steel_defect_detection.download.partial import Partial, Version
from steel_defect_detection.errors import DownloadError, SteelDefectError

LARGEST = 64 * 2**30
"""Bytes after which a server that names no size is no longer believed."""

_CHUNK = 2**17
# Too many requests, too early, timed out, or the server's own trouble: may pass.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to put up with a bad line.

    Args:
        attempts: Failures in a row, without a single new byte, until it is
            given up.
        connect_seconds: Time for a connection to come about.
        read_seconds: Longest silence of the server.
        sleep: What waits between attempts, 1, 2, 4 … seconds.
    """

    attempts: int = 4
    connect_seconds: float = 10
    read_seconds: float = 60
    sleep: Callable[[float], None] = time.sleep


class _BrokenLineError(Exception):
    """A failure that may pass; the next attempt goes on with what is there."""

    def __init__(self, reason: str, *, wait_seconds: float = 0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, kw_only=True)
class _Wish:
    """What is wanted, and what is known about it beforehand."""

    address: str
    sha256: str | None
    size: int | None
    most: int
    patience: Patience

    @property
    def name(self) -> str:
        return public(self.address)


def fetch(  # noqa: PLR0913 -- what to fetch, and five things that have a default
    address: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    most: int = LARGEST,
    patience: Patience | None = None,
    remark: Remark = lock.silent,
) -> str:
    """Fetch a file, unless it is there already.

    Args:
        address: Where it lies: http or https.
        target: File to write; until it is complete and verified, it is called
            ``NAME.partial``. Two processes with one target take turns.
        sha256: Hash that the whole must have, if it is known.
        size: Bytes that it must have, if that is known.
        most: Bytes that it may have at most.
        patience: How long to put up with a bad line.
        remark: Hears what is worth telling.

    Returns:
        The SHA-256 of the file, as 64 hexadecimal digits.

    Raises:
        DownloadError: If it cannot be fetched or is something else than it
            should be. What came so far is kept if the next call can go on
            with it.
    """
    wish = _Wish(
        address=address, sha256=sha256, size=size, most=most, patience=patience or Patience()
    )
    _check_scheme(address)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock.held(target, remark=remark):
            return _bring(wish, Partial(target)) if not target.exists() else verify(target, sha256)
    except SteelDefectError:
        raise
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise DownloadError(msg) from error


def verify(path: Path, sha256: str | None) -> str:
    """Compute the SHA-256 of a file, and compare it where it is known.

    Raises:
        DownloadError: If it is another one.
    """
    found = _digest(path)
    if sha256 is not None and found != sha256:
        msg = (
            f"{path} is not the file that it should be: its SHA-256 is {found}, expected "
            f"{sha256}. Delete it and run the command again"
        )
        raise DownloadError(msg)
    return found


def public(address: str) -> str:
    """Leave out of an address what is nobody's business: credentials and query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_scheme(address: str) -> None:
    try:
        parts = urlsplit(address)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        msg = f"{address!r} is no address: it must begin with https:// or http:// and a host"
        raise DownloadError(msg)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(wish: _Wish, partial: Partial) -> str:
    """Try until the file is there or patience ends."""
    failures = 0
    furthest = partial.length
    while True:
        try:
            return _attempt(wish, partial)
        except _BrokenLineError as broken:
            failures = 0 if partial.length > furthest else failures + 1
            furthest = max(furthest, partial.length)
            if failures >= wish.patience.attempts:
                raise DownloadError(_given_up(wish, partial, broken)) from broken
            wish.patience.sleep(max(broken.wait_seconds, 2 ** max(failures - 1, 0)))


def _given_up(wish: _Wish, partial: Partial, broken: _BrokenLineError) -> str:
    msg = f"cannot fetch {wish.name}: {broken}"
    if not partial.length:
        return f"{msg}. Look at the network, and run the command again"
    so_far = space.readable(partial.length)
    return f"{msg}. {so_far} are kept in {partial.path}; the same command goes on from there"


def _attempt(wish: _Wish, partial: Partial) -> str:
    start = _resumable(wish, partial)
    version = partial.version() if start else None
    if version is None or version.size != start:
        _request(wish, partial, start)
    found = _digest(partial.path)
    if wish.sha256 in {None, found}:
        partial.finish()
        return found
    partial.drop()
    if start:
        reason = "the bytes kept from before do not belong to this file"
        raise _BrokenLineError(reason)
    msg = (
        f"{wish.name} is not the file that it should be: its SHA-256 is {found}, expected "
        f"{wish.sha256}. It was deleted; ask whoever keeps it there"
    )
    raise DownloadError(msg)


def _resumable(wish: _Wish, partial: Partial) -> int:
    """Count the bytes to go on from, and drop what is of no use."""
    version = partial.version()
    if version and version.address == wish.name and (version.validator or wish.sha256):
        most = wish.most if version.size is None else version.size
        if 0 < partial.length <= most:
            return partial.length
    partial.drop()
    return 0


def _request(wish: _Wish, partial: Partial, start: int) -> None:
    """Ask for the missing bytes, and write down what comes."""
    timeout = (wish.patience.connect_seconds, wish.patience.read_seconds)
    headers = _headers(partial, start)
    try:
        with requests.get(wish.address, headers=headers, timeout=timeout, stream=True) as response:
            size = _accept(wish, partial, response, start)
            _write(wish, partial, response, size)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _trouble(wish, error) from error
    if size is not None and partial.length < size:
        reason = f"the line was cut after {partial.length} of {size} bytes"
        raise _BrokenLineError(reason)
    if wish.size is not None and partial.length != wish.size:
        got = partial.length
        partial.drop()
        raise DownloadError(_wrong_size(wish, got))


def _headers(partial: Partial, start: int) -> dict[str, str]:
    # What is compressed on the way has neither the size nor the ranges of the file.
    headers = {"Accept-Encoding": "identity"}
    version = partial.version()
    if start and version:
        headers["Range"] = f"bytes={start}-"
        if version.validator:
            headers["If-Range"] = version.validator
    return headers


def _accept(wish: _Wish, partial: Partial, response: requests.Response, start: int) -> int | None:
    """Check what a server answers; return the size of the whole, if it says."""
    _check_status(wish, partial, response)
    if wish.sha256 is None and wish.address.startswith("https:"):
        _check_still_secret(wish, response)
    if response.status_code == 206:
        size = _continued_size(partial, response, start)
    else:
        size = _whole_size(response)
        partial.begin(_version(wish, response, size))
        start = 0
    if wish.size is not None and size is not None and size != wish.size:
        partial.drop()
        raise DownloadError(_wrong_size(wish, size))
    if size is not None and size > wish.most:
        partial.drop()
        raise DownloadError(_too_much(wish))
    if size is not None:
        purpose = f"for {partial.target.name}"
        space.require(partial.path.parent, size - start, purpose=purpose)
    return size


def _too_much(wish: _Wish) -> str:
    return f"cannot fetch {wish.name}: it has more than {wish.most} bytes. Nothing was kept"


def _wrong_size(wish: _Wish, size: int) -> str:
    return (
        f"{wish.name} is not the file that it should be: it has {size} bytes, expected "
        f"{wish.size}. Nothing was kept; ask whoever keeps it there"
    )


def _check_status(wish: _Wish, partial: Partial, response: requests.Response) -> None:
    status = response.status_code
    said = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in _PASSING:
        raise _BrokenLineError(said, wait_seconds=_asked_wait(response))
    if status == 416 and partial.length:
        partial.drop()
        raise _BrokenLineError(said)
    if status not in {200, 206} or (status == 206 and not partial.length):
        msg = f"cannot fetch {wish.name}: {said}{_advice(status)}"
        raise DownloadError(msg)
    if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
        msg = f"cannot fetch {wish.name}: it comes compressed although that was not asked for"
        raise DownloadError(msg)


def _advice(status: int) -> str:
    if status in {401, 403, 407}:
        return ". It needs a permission; see the documentation of its owner"
    return ". It is not there; look at the address" if status in {404, 410} else ""


def _asked_wait(response: requests.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(int(asked), _LONGEST_WAIT_SECONDS) if re.fullmatch(r"[0-9]{1,9}", asked) else 0


def _check_still_secret(wish: _Wish, response: requests.Response) -> None:
    if not response.url.startswith("https:"):
        msg = (
            f"cannot fetch {wish.name}: it leads on to {public(response.url)}, where anybody on "
            f"the way could change it, and no SHA-256 is known to notice that"
        )
        raise DownloadError(msg)


def _whole_size(response: requests.Response) -> int | None:
    said = response.headers.get("Content-Length", "")
    return int(said) if re.fullmatch(r"[0-9]{1,18}", said) else None


def _continued_size(partial: Partial, response: requests.Response, start: int) -> int | None:
    """Check that what comes begins where the kept bytes end, of the same version."""
    said = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)", said.strip())
    kept = partial.version()
    size = None if found is None or found[3] == "*" else int(found[3])
    same = kept is not None and size in {None, kept.size or size}
    same = same and kept is not None and response.headers.get("ETag", kept.etag) == kept.etag
    if found is None or int(found[1]) != start or not same:
        partial.drop()
        reason = f"the server continued with something else ({said or 'no Content-Range'})"
        raise _BrokenLineError(reason)
    return size if size is not None or kept is None else kept.size


def _version(wish: _Wish, response: requests.Response, size: int | None) -> Version:
    etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return Version(address=wish.name, etag=etag, modified=modified, size=size)


def _write(wish: _Wish, partial: Partial, response: requests.Response, size: int | None) -> None:
    most = wish.most if size is None else size
    with partial.path.open("ab") as file, _bar(partial, size) as bar:
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
            if file.tell() > most:
                break
        file.flush()
        os.fsync(file.fileno())
    if partial.length > most:
        partial.drop()
        raise DownloadError(_too_much(wish))


def _bar(partial: Partial, size: int | None) -> "tqdm[Never]":
    # Only where somebody looks: `None` is silent unless standard error is a terminal.
    return tqdm(
        desc=partial.target.name,
        initial=partial.length,
        total=size,
        unit="B",
        unit_scale=True,
        disable=None,
    )


def _trouble(wish: _Wish, error: Exception) -> Exception:
    """Tell what may pass from what will not."""
    lasting = (
        requests.exceptions.SSLError,
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.InvalidHeader,
        requests.exceptions.TooManyRedirects,
    )
    reason = _innermost(error)
    if isinstance(error, lasting):
        return DownloadError(f"cannot fetch {wish.name}: {reason}")
    return _BrokenLineError(reason)


def _innermost(error: BaseException) -> str:
    """Find the words that say why; the outer ones repeat the address with its secrets."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "it leads in circles"
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        return "the server fell silent"
    if isinstance(error, requests.ConnectTimeout):
        return "no connection came about in time"
    inner = getattr(error, "reason", None) or next(iter(error.args), None)
    if isinstance(inner, BaseException):
        return _innermost(inner)
    return str(error).rpartition(": ")[2] or type(error).__name__
