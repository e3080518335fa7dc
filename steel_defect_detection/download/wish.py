"""What is wanted from a server, and how much trouble it is worth."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from steel_defect_detection.errors import DownloadError

LARGEST = 64 * 2**30
"""Bytes after which a server that names no size is no longer believed."""


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


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is wanted, and what is known about it beforehand.

    Args:
        address: Where it lies.
        sha256: Its hash, if known.
        size: Its bytes, if known.
        most: Bytes that it may have at most.
        patience: How long to put up with a bad line.
    """

    address: str
    sha256: str | None
    size: int | None
    most: int
    patience: Patience

    @property
    def name(self) -> str:
        """What to call it before people."""
        return public(self.address)


class BrokenLineError(Exception):
    """A failure that may pass; the next attempt goes on with what is there.

    Args:
        reason: Why, as the end of a sentence.
        wait_seconds: How long the server asks to wait.
    """

    def __init__(self, reason: str, *, wait_seconds: float = 0) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


def public(address: str) -> str:
    """Leave out of an address what is nobody's business: credentials and query."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def check_scheme(address: str) -> None:
    """Refuse what is no http or https address.

    Raises:
        DownloadError: If it is not.
    """
    try:
        parts = urlsplit(address)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        # No query and no user either, as far as they can be told in something malformed.
        shown = re.sub("//[^/]*@", "//", address.partition("?")[0])
        msg = f"{shown!r} is no address: it must begin with https:// or http:// and a host"
        raise DownloadError(msg)
