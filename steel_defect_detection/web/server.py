"""Listen on an address, with patience for slow clients that has an end."""

import asyncio
import ipaddress
import logging
import os
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from steel_defect_detection.errors import ConfigError
from steel_defect_detection.web.limits import Limits

_HEAD_BYTES = 32 * 1024
_WAITING_CONNECTIONS = 512


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach an address.

    Args:
        host: A name or a number.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """Begin to listen.

    Args:
        host: Name or number of the address.
        port: Its port; 0 for any that is free.

    Raises:
        ConfigError: If the address is not this machine's, or somebody listens
            there already.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_WAITING_CONNECTIONS)
    except (OSError, UnicodeError) as error:
        # A name that is not known has no number of the system's.
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        msg = f"cannot listen on {host}, port {port}: {why}. Name another one, or port 0 for any"
        raise ConfigError(msg) from error


def address(listening: socket.socket) -> str:
    """What to type into a browser.

    Args:
        listening: What listens.
    """
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build(app: FastAPI, limits: Limits) -> uvicorn.Server:
    """Make a server, to be run with a socket that listens.

    Args:
        app: What answers.
        limits: How much is taken on.
    """
    # Malformed requests could fill a log; what fails unexpectedly is said all the same.
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=4 * limits.requests,
        timeout_graceful_shutdown=int(limits.timeout) + 1,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    return uvicorn.Server(config)


class PatientProtocol(H11Protocol):
    """HTTP, with an end to waiting for the head of a request, and for an answer to be fetched.

    The body of a request has its own deadline (``bodies.read``).
    """

    head_seconds = 15.0
    """Seconds to send the head of a request."""

    fetch_seconds = 60.0
    """Seconds to fetch an answer that is ready."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Wait on, unless the head is complete."""
        super().data_received(data)
        if self._is_between_requests():
            self._wait_for_head()
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait until the answer is fetched."""
        super().on_response_complete()
        self.loop.call_later(self.fetch_seconds, self._end_unless_fetched)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _is_between_requests(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _wait_for_head(self) -> None:
        # Once for all bytes of a head: one byte now and then must not keep it open.
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self._deadline = None
        if self._is_between_requests():
            self.transport.abort()

    def _end_unless_fetched(self) -> None:
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self.transport.abort()
