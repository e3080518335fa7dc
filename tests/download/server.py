"""A real HTTP server on this machine that can be told to misbehave."""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Behaviour = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with a file, its ranges and its validators, as a good server does."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        content = self.server.contents.get(self.path.partition("?")[0])
        if self.server.script:
            self.server.script.pop(0)(self, content or b"")
        elif self.server.always:
            self.server.always(self, content or b"")
        elif content is None:
            self.answer(404)
        else:
            behave(self, content)

    def answer(self, status: int, body: bytes = b"", **headers: str | None) -> None:
        """Send a whole answer; a header of None is left out."""
        self.send_response(status)
        named = {"Content_Length": str(len(body)), "Connection": "close"} | headers
        for name, value in named.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Server(ThreadingHTTPServer):
    """The files it offers, what it was asked for, and what it shall do instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents: dict[str, bytes] = {}
        self.etag: str | None = '"one"'
        self.modified: str | None = None
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.script: list[Behaviour] = []
        self.always: Behaviour | None = None

    def handle_error(self, *_: object) -> None:
        """Ignore clients that go away."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def validators(self) -> dict[str, str | None]:
        return {"ETag": self.etag, "Last_Modified": self.modified}


def behave(handler: Handler, content: bytes) -> None:
    """Send the file or the rest of it, as RFC 9110 says."""
    server = handler.server
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    condition = handler.headers.get("If-Range")
    if asked is None or (condition and condition not in {server.etag, server.modified}):
        handler.answer(200, content, **server.validators)
        return
    start = int(asked[1])
    if start >= len(content):
        handler.answer(416, Content_Range=f"bytes */{len(content)}")
        return
    rest = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.answer(206, content[start:], Content_Range=rest, **server.validators)


def cut_after(count: int) -> Behaviour:
    """Break the line after some bytes of the whole file."""

    def cut(handler: Handler, content: bytes) -> None:
        handler.answer(
            200, content[:count], Content_Length=str(len(content)), **handler.server.validators
        )

    return cut


def status(code: int, **headers: str) -> Behaviour:
    """Answer with a status."""
    return lambda handler, _: handler.answer(code, b"sorry", **headers)
