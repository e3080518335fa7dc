"""What a server says, checked against what was asked and what is known."""

import http.client
import re

import requests
import urllib3

from steel_defect_detection.download import space
from steel_defect_detection.download.partial import Partial, Version
from steel_defect_detection.download.wish import BrokenLineError, Wish, public
from steel_defect_detection.errors import DownloadError

# Too many requests, too early, timed out, or the server's own trouble: may pass.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_SECONDS = 60


def accept(wish: Wish, partial: Partial, response: requests.Response, start: int) -> int | None:
    """Check the head of an answer, and make the partial file ready for its body.

    Args:
        wish: What was asked for.
        partial: What is there; emptied if the answer begins from the start.
        response: The answer, its body unread.
        start: Byte that was asked to begin with.

    Returns:
        The size of the whole, if the server says it.

    Raises:
        BrokenLineError: If another attempt may help.
        DownloadError: If none will.
    """
    _check_status(wish, partial, response)
    if wish.sha256 is None and wish.address.lower().startswith("https:"):
        _check_hops(wish, response)
    if response.status_code == 206:
        size = _continued_size(partial, response, start)
    else:
        size = _whole_size(response)
        partial.begin(_version(wish, response, size))
        start = 0
    if wish.size is not None and size is not None and size != wish.size:
        partial.drop()
        raise DownloadError(wrong_size(wish, size))
    if size is not None and size > wish.most:
        partial.drop()
        raise DownloadError(too_much(wish))
    if size is not None:
        purpose = f"for {partial.target.name}"
        space.require(partial.path.parent, size - start, purpose=purpose)
    return size


def _check_status(wish: Wish, partial: Partial, response: requests.Response) -> None:
    status = response.status_code
    said = f"the server answered {status} {response.reason or ''}".rstrip()
    if status in _PASSING:
        raise BrokenLineError(said, wait_seconds=_asked_wait(response))
    if status == 416 and partial.length:
        partial.drop()
        raise BrokenLineError(said)
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


def _check_hops(wish: Wish, response: requests.Response) -> None:
    hops = [hop.url for hop in (*response.history, response)]
    open_hops = [hop for hop in hops if not hop.lower().startswith("https:")]
    if open_hops:
        msg = (
            f"cannot fetch {wish.name}: it leads on to {public(open_hops[0])}, where anybody on "
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
    if found is None or int(found[1]) != start or not _is_same(kept, response, size):
        partial.drop()
        reason = f"the server continued with something else ({said or 'no Content-Range'})"
        raise BrokenLineError(reason)
    return size if size is not None or kept is None else kept.size


def _is_same(kept: Version | None, response: requests.Response, size: int | None) -> bool:
    if kept is None or (size is not None and kept.size not in {None, size}):
        return False
    # A part must come with the ETag of the whole (RFC 9110, 15.3.7), not so the time of change.
    modified = response.headers.get("Last-Modified", kept.modified)
    return response.headers.get("ETag", "") == kept.etag and modified == kept.modified


def _version(wish: Wish, response: requests.Response, size: int | None) -> Version:
    etag, modified = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    return Version(address=wish.name, etag=etag, modified=modified, size=size)


def wrong_size(wish: Wish, size: int) -> str:
    """Say that a file has another size than it should."""
    return (
        f"{wish.name} is not the file that it should be: it has {size} bytes, expected "
        f"{wish.size}. Nothing was kept; ask whoever keeps it there"
    )


def too_much(wish: Wish) -> str:
    """Say that a file is larger than it may be."""
    return f"cannot fetch {wish.name}: it has more than {wish.most} bytes. Nothing was kept"


def trouble(wish: Wish, error: Exception) -> Exception:
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
    return BrokenLineError(reason)


def _innermost(error: BaseException) -> str:
    """Find the words that say why; the outer ones repeat the address with its secrets."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "it leads in circles"
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        return "the server fell silent"
    if isinstance(error, http.client.IncompleteRead):
        return "the line was cut"
    if isinstance(error, requests.ConnectTimeout):
        return "no connection came about in time"
    causes = (getattr(error, "reason", None), *error.args)
    inner = next((cause for cause in causes if isinstance(cause, BaseException)), None)
    if inner is not None:
        return _innermost(inner)
    return str(error).rpartition(": ")[2] or type(error).__name__
