"""One file from an address onto the disk: resumed, verified, complete or not there.

    request ──▶ NAME.partial (+ what the server calls this version) ──▶ verify ──▶ NAME

A transfer that broke goes on where it stopped only if the server still has the
same version (``If-Range`` with its ``ETag`` or ``Last-Modified``) or if the
hash of the whole is known. Everything that a server says is checked against
what it then does. Proxies, certificates and ``.netrc`` are left to requests.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

import requests
import urllib3
from tqdm import tqdm

from steel_defect_detection.download import answer, lock, space
from steel_defect_detection.download.partial import Partial
from steel_defect_detection.download.wish import (
    LARGEST,
    BrokenLineError,
    Patience,
    Wish,
    check_scheme,
)
from steel_defect_detection.errors import DownloadError, SteelDefectError
from steel_defect_detection.progress import progress_bar

_CHUNK = 2**17


def fetch(
    address: str,
    target: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    most: int = LARGEST,
    patience: Patience | None = None,
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

    Returns:
        The SHA-256 of the file, as 64 hexadecimal digits.

    Raises:
        DownloadError: If it cannot be fetched or is something else than it
            should be. What came so far is kept if the next call can go on
            with it.
    """
    wish = Wish(
        address=address, sha256=sha256, size=size, most=most, patience=patience or Patience()
    )
    check_scheme(address)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock.held(target):
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


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(wish: Wish, partial: Partial) -> str:
    """Try until the file is there or patience ends."""
    failures = 0
    furthest = partial.length
    while True:
        try:
            return _attempt(wish, partial)
        except BrokenLineError as broken:
            failures = 0 if partial.length > furthest else failures + 1
            furthest = max(furthest, partial.length)
            if failures >= wish.patience.attempts:
                raise DownloadError(_given_up(wish, partial, broken)) from broken
            wish.patience.sleep(max(broken.wait_seconds, 2 ** max(failures - 1, 0)))


def _given_up(wish: Wish, partial: Partial, broken: BrokenLineError) -> str:
    msg = f"cannot fetch {wish.name}: {broken}"
    if not partial.length:
        return f"{msg}. Look at the network, and run the command again"
    so_far = space.readable(partial.length)
    return f"{msg}. {so_far} are kept in {partial.path}; the same command goes on from there"


def _attempt(wish: Wish, partial: Partial) -> str:
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
        raise BrokenLineError(reason)
    msg = (
        f"{wish.name} is not the file that it should be: its SHA-256 is {found}, expected "
        f"{wish.sha256}. It was deleted; ask whoever keeps it there"
    )
    raise DownloadError(msg)


def _resumable(wish: Wish, partial: Partial) -> int:
    """Count the bytes to go on from, and drop what is of no use."""
    version = partial.version()
    if version and version.address == wish.name and (version.validator or wish.sha256):
        most = wish.most if version.size is None else version.size
        if 0 < partial.length <= most:
            return partial.length
    partial.drop()
    return 0


def _request(wish: Wish, partial: Partial, start: int) -> None:
    """Ask for the missing bytes, and write down what comes."""
    timeout = (wish.patience.connect_seconds, wish.patience.read_seconds)
    headers = _headers(partial, start)
    try:
        with requests.get(wish.address, headers=headers, timeout=timeout, stream=True) as response:
            size = answer.accept(wish, partial, response, start)
            _write(wish, partial, response, size)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise answer.trouble(wish, error) from error
    if size is not None and partial.length < size:
        reason = f"the line was cut after {partial.length} of {size} bytes"
        raise BrokenLineError(reason)
    if wish.size is not None and partial.length != wish.size:
        got = partial.length
        partial.drop()
        raise DownloadError(answer.wrong_size(wish, got))


def _headers(partial: Partial, start: int) -> dict[str, str]:
    # What is compressed on the way has neither the size nor the ranges of the file.
    headers = {"Accept-Encoding": "identity"}
    version = partial.version()
    if start and version:
        headers["Range"] = f"bytes={start}-"
        if version.validator:
            headers["If-Range"] = version.validator
    return headers


def _write(wish: Wish, partial: Partial, response: requests.Response, size: int | None) -> None:
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
        raise DownloadError(answer.too_much(wish))


def _bar(partial: Partial, size: int | None) -> "tqdm[Any]":
    return progress_bar(
        what=partial.target.name,
        done=partial.length,
        total=size,
        unit="B",
    )
