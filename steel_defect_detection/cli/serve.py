"""``sdd-serve``: a page in the browser, and the HTTP interface under it."""

import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import click

from steel_defect_detection.cli import options
from steel_defect_detection.cli.command import command, echo, say
from steel_defect_detection.cli.values import FiniteRange, per_class
from steel_defect_detection.errors import ConfigError

# As many as are decoded at all; importing that number would make --help wait.
MOST_PIXELS = 100_000_000

# A day: longer is no deadline.
_MOST_SECONDS = 86_400


def _names(_: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse names that no browser could ask for."""
    for name in names:
        if not re.fullmatch(r"[^\s/:@?#]+", name):
            msg = f"{name!r} is no name such as steel.example.com, without http:// and port"
            raise click.BadParameter(msg, param=parameter)
    return names


@command("sdd-serve")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 for any that is free.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File that holds the secret which requests must bring.  [default: SDD_TOKEN, if set]",
)
@click.option("--no-token", is_flag=True, help="Let anybody in who can reach the address.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    callback=_names,
    help="Name by which this server may be called, such as that of a proxy before it.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=64_000_000,
    show_default=True,
    help="Most bytes of a request.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1, MOST_PIXELS),
    default=50_000_000,
    show_default=True,
    help="Most pixels of an image.",
)
@click.option(
    "--max-images",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Most images of a request.",
)
@click.option(
    "--queue",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Most images that wait or are judged.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0.01, _MOST_SECONDS),
    default=60.0,
    show_default=True,
    help="Seconds to send a request, and to judge it after that.",
)
@options.model
@options.gate
@options.threshold
@options.gate_threshold
@options.min_area
@options.least_familiarity
@options.only_named
@options.on_unfamiliar
@options.fill_holes
@options.flips
@options.runtime(
    "What runs the networks; auto is OpenVINO without a GPU, after a short conversion."
)
@options.threads
@options.device()
@options.precision
@click.pass_context
def main(context: click.Context, /, **words: Any) -> None:
    """Show a page for judging images, with an HTTP interface under it.

    It is there for this machine alone, unless --host names another address.
    Images are judged in memory, and nothing of them is kept. Ctrl-C stops it,
    after the requests that are under way.
    """
    host: str = words["host"]
    # Imported late: --help must not wait for torch, nor need the extra.
    from steel_defect_detection.predictors.load import load_predictor, read_model
    from steel_defect_detection.web import server
    from steel_defect_detection.web.app import create_app
    from steel_defect_detection.web.guards import Access
    from steel_defect_detection.web.limits import Limits

    if words["max_images"] > words["queue"]:
        msg = (
            f"--max-images {words['max_images']} is more than --queue {words['queue']}, so that "
            "such a request would never be judged. Raise --queue or lower --max-images"
        )
        raise click.UsageError(msg)
    token = _token(words["token_file"])
    _check_open(host, token, is_open=words["no_token"], is_loopback=server.is_loopback(host))
    hosts = (host, socket.gethostname(), *words["allow_host"])
    access = Access(token=token, hosts=hosts)
    names = ("max_bytes", "max_pixels", "max_images", "queue", "timeout")
    limits = Limits(**{name: words[name] for name in names})
    # Before the model: a port that is taken should not be found out after a long start.
    with server.listen(host, words["port"]) as listening:
        found = read_model(words["model"], words["gate"])
        predictor = load_predictor(found, **_settings(words))
        app = create_app(predictor, found.header, limits=limits, access=access)
        if not server.is_loopback(host):
            say("what is sent is not encrypted: put a proxy with TLS before it")
        echo(server.address(listening))
        _run(context, server.build(app, limits), listening)
    say("stopped")


def _settings(words: dict[str, Any]) -> dict[str, Any]:
    """What ``load_predictor`` takes of the options."""
    names = (
        "gate_threshold",
        "least_familiarity",
        "only_named",
        "on_unfamiliar",
        "fill_holes",
        "flips",
        "runtime",
        "threads",
        "device",
        "precision",
    )
    settings = {name: words[name] for name in names}
    return settings | {name: per_class(words[name]) for name in ("threshold", "min_area")}


def _token(file: Path | None) -> str | None:
    if file is None:
        token = os.environ.get("SDD_TOKEN")
        if token == "":
            msg = "SDD_TOKEN is set, and empty: give it a secret, or unset it"
            raise ConfigError(msg)
        return token
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read as a token: {error}"
        raise ConfigError(msg) from error


def _check_open(host: str, token: str | None, *, is_open: bool, is_loopback: bool) -> None:
    """Refuse to be open to a network by mistake."""
    if token is not None and is_open:
        msg = "--no-token and a token exclude each other"
        raise click.UsageError(msg)
    if token is None and not is_open and not is_loopback:
        msg = (
            f"anybody in the network could use {host}. Set SDD_TOKEN or --token-file, or say "
            "--no-token if that is meant"
        )
        raise ConfigError(msg)


def _run(context: click.Context, server: Any, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C or SIGTERM."""
    if current_thread() is main_thread():
        usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
        context.call_on_close(lambda: signal.signal(signal.SIGTERM, usual))
    # Uvicorn finishes what is under way, and then raises the signal once more.
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
