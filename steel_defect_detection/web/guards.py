"""Who may ask: checked before anything of a request is read.

A page of another site that a user visits could send requests to this server
through the user's browser, to ``127.0.0.1`` above all. Three things keep it out.
Requests that name another origin than this server are refused. So are requests that
call this server by a name that is not its own, as they do after DNS rebinding.
And nothing here allows other origins to read answers.
"""

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.web.limits import Limits
from steel_defect_detection.web.metrics import Metrics
from steel_defect_detection.web.refusals import RefusedError, overloaded

LEAST_TOKEN = 16
"""Letters of a token at least: a shorter one can be found out by trying."""

SAFETY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""

_LOG = logging.getLogger(__name__)
_NO_ANSWER = 499
_FAILED = RefusedError(500, "failed", "the server failed. Its log says why")
_NEED_TOKEN = ("/predict", "/model", "/metrics")


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask.

    Args:
        token: Secret that requests must bring; None for none.
        hosts: Names by which this server may be called, beside ``localhost`` and
            numbers, which no other site can have.

    Raises:
        ConfigError: If the token is too short, or could not be sent.
    """

    token: str | None = None
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the token."""
        if self.token is None:
            return
        if len(self.token) < LEAST_TOKEN:
            msg = f"a token needs at least {LEAST_TOKEN} letters, got {len(self.token)}"
            raise ConfigError(msg)
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            msg = "a token consists of ASCII letters, digits and signs, without spaces"
            raise ConfigError(msg)

    def check(self, path: str, headers: Headers) -> None:
        """Refuse requests of those who may not ask.

        Args:
            path: What is asked for.
            headers: Headers of the request.

        Raises:
            RefusedError: If it is refused.
        """
        host = headers.get("host", "")
        if not self._is_ours(host):
            msg = (
                f"this server is not called {host[:100]!r}. Start it with --allow-host NAME if it "
                "is meant to be"
            )
            raise RefusedError(421, "wrong_host", msg)
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host.lower():
            msg = (
                f"requests of pages from elsewhere are refused, got one of {origin[:100]!r}. A "
                "proxy before this server must pass the header Host on"
            )
            raise RefusedError(403, "wrong_origin", msg)
        if path in _NEED_TOKEN and not self._is_known(headers.get("authorization", "")):
            msg = "expected the header 'Authorization: Bearer TOKEN' with this server's token"
            raise RefusedError(401, "wrong_token", msg, {"WWW-Authenticate": "Bearer"})

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name in {known.lower() for known in self.hosts}:
            return True
        with suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return False

    def _is_known(self, authorization: str) -> bool:
        if self.token is None:
            return True
        scheme, _, token = authorization.partition(" ")
        same = hmac.compare_digest(token.strip().encode(), self.token.encode())
        return same and scheme.lower() == "bearer"


class Guard:
    """Stands before an application: checks who asks, counts, and sees that nothing takes forever.

    Args:
        app: The application.
        access: Who may ask.
        limits: How many may ask at the same time, and how long reading an
            answer may take them.
        metrics: What counts requests.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._metrics = metrics
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), _NO_ANSWER

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message)
            async with asyncio.timeout(self._limits.timeout):
                await send(message)

        self._running += 1
        try:
            await self._answer(scope, receive, guarded)
        except Exception:
            if status != _NO_ANSWER:
                raise
            _LOG.exception("a request failed")
            await _FAILED.response()(scope, receive, guarded)
        finally:
            self._running -= 1
            seconds = perf_counter() - started
            self._metrics.request(scope["method"], scope["path"], status, seconds)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._running > self._limits.requests:
                msg = f"{self._limits.requests} requests are under way already"
                raise overloaded(msg, 2)
            self._access.check(scope["path"], Headers(scope=scope))
        except RefusedError as refused:
            await refused.response()(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _place(origin: str) -> str | None:
    """Host and port of an origin; None if it is not one."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in SAFETY_HEADERS.items():
        headers[name] = value
