"""Read what a request brings: into memory, within limits and in time, never onto a disk.

A body is one image as it is (``image/png`` and the like), or a form of several
(``multipart/form-data``) whose fields are all called ``images``. What a file
is called is kept as a text to give back, and for nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from steel_defect_detection.web.limits import Limits
from steel_defect_detection.web.refusals import RefusedError, overloaded
from steel_defect_detection.wording import visible

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD = "images"
"""Name of the fields of a form."""

_LONGEST_NAME = 255
_RETRY_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as it was sent.

    Args:
        name: What it was called there, fit to be shown.
        data: Its bytes.
    """

    name: str
    data: bytes


class Room:
    """Memory for the bytes of all requests together.

    Args:
        most: Most bytes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    @contextmanager
    def share(self) -> "Iterator[Share]":
        """A request's share, given back at its end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.held

    def take(self, count: int) -> None:
        """Take room for so many bytes.

        Args:
            count: How many.

        Raises:
            RefusedError: If there is no room for them.
        """
        if self.held + count > self._most:
            msg = "there is no memory for more images now"
            raise overloaded(msg, _RETRY_SECONDS)
        self.held += count


class Share:
    """What one request has taken of the room.

    Args:
        room: The room.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self.held = 0

    def take(self, count: int) -> None:
        """Take room for more bytes.

        Args:
            count: How many.

        Raises:
            RefusedError: If there is no room for them.
        """
        self._room.take(count)
        self.held += count


async def read(request: Request, limits: Limits, share: Share) -> list[Upload]:
    """Read the images of a request.

    Args:
        request: The request.
        limits: How much of it is read, and how long that may take.
        share: What its bytes take room of.

    Returns:
        At least one image.

    Raises:
        RefusedError: If it is too much, too slow, or nothing of the kind.
    """
    try:
        async with asyncio.timeout(limits.timeout):
            return await _read(request, limits, share)
    except TimeoutError as error:
        msg = f"the request did not arrive within {limits.timeout:g} seconds"
        raise RefusedError(408, "too_slow", msg) from error


async def _read(request: Request, limits: Limits, share: Share) -> list[Upload]:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind == b"multipart/form-data":
        form = _Form(options.get(b"boundary", b""), limits.max_images)
        async for chunk in _chunks(request, limits, share):
            form.add(chunk)
        return form.uploads()
    if not kind.startswith(b"image/") and kind != b"application/octet-stream":
        got = kind.decode("latin-1") or "nothing"
        msg = (
            f"expected a form (multipart/form-data) with fields called {FIELD!r}, or one image as "
            f"image/png, image/jpeg and the like, got {got!r}"
        )
        raise RefusedError(415, "wrong_content_type", msg)
    data = bytearray()
    async for chunk in _chunks(request, limits, share):
        data += chunk
    return [Upload(name="image", data=bytes(data))]


async def _chunks(request: Request, limits: Limits, share: Share) -> AsyncIterator[bytes]:
    """Give a body in pieces, of which no more are read than allowed."""
    announced = request.headers.get("content-length", "")
    _check_bytes(int(announced) if announced.isdecimal() else 0, limits)
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        _check_bytes(count, limits)
        share.take(len(chunk))
        yield chunk


def _check_bytes(count: int, limits: Limits) -> None:
    if count > limits.max_bytes:
        msg = f"the request has more than the most of {limits.max_bytes:,} bytes"
        raise RefusedError(413, "too_many_bytes", f"{msg}. Send fewer images at a time")


class _Form:
    """A form that arrives in pieces.

    Args:
        boundary: What parts its fields.
        most: Most images.
    """

    def __init__(self, boundary: bytes, most: int) -> None:
        self._most = most
        self._found: list[tuple[str, bytearray]] = []
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._is_complete = False
        if not boundary:
            missing = "its boundary is missing"
            raise _malformed(missing)
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def add(self, chunk: bytes) -> None:
        """Take the next piece."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _malformed(str(error)) from error

    def uploads(self) -> list[Upload]:
        """What arrived."""
        if not self._is_complete:
            cut = "it ends before its last boundary"
            raise _malformed(cut)
        if not self._found:
            msg = f"the form has no images. Send each in a field called {FIELD!r}"
            raise RefusedError(400, "no_images", msg)
        return [Upload(name=name, data=bytes(data)) for name, data in self._found]

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            msg = f"expected fields called {FIELD!r}, each with one image, got '{_shown(field)}'"
            if field == "include":
                msg += ". It belongs into the address: /predict?include=mask"
            raise RefusedError(400, "wrong_field", msg)
        if len(self._found) == self._most:
            msg = f"the form has more than the most of {self._most} images"
            raise RefusedError(400, "too_many_images", f"{msg}. Send fewer at a time")
        name = _shown(options.get(b"filename", b"").decode("utf-8", "replace"))
        self._found.append((name or "image", bytearray()))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._found[-1][1].extend(data[start:end])

    def _on_end(self) -> None:
        self._is_complete = True


def _malformed(why: str) -> RefusedError:
    return RefusedError(400, "malformed_form", f"the form cannot be read: {why}")


def _shown(name: str) -> str:
    r"""A name with what no screen shows written out, as in ``\u202e``."""
    return visible(name[:_LONGEST_NAME])
