"""Run a command as a page shows it, but shortened: fewer epochs, runs and images.

python -m tests.reading.shorten sdd-train strip-linknet --data mine

``shortened`` says what is added to the words of the page; it comes last and so outdoes
them. ``write`` makes small programs of the commands' own names, which do this.
"""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import entry_points, metadata
from pathlib import Path

import requests
from packaging.requirements import Requirement

COMMANDS = {
    script.name: script
    for script in entry_points(group="console_scripts")
    if script.name.startswith("sdd-")
}
PACKAGE = "steel-defect-detection"

_SMALL = ["--epochs", "1", "--batch-size", "8", "--crop-size", "none", "--crops-per-image", "1"]
_SCRATCH = ["--init", "scratch", "--encoder", "mobilenet_v2", "--no-freeze-encoder"]
_QUICK = ["--count", "2", "--each", "2", "--reference-images", "2", "--repeats", "1"]
_ADDED = {
    "sdd-train": [*_SMALL, "--workers", "0"],
    "sdd-benchmark": [*_QUICK, "--size", "64x128", "--no-configurations"],
}


def shortened(name: str, words: list[str]) -> list[str]:
    """Give the words of a command with what shortens it."""
    words = [*words, *_ADDED.get(name, [])]
    if name == "sdd-train" and "--init" not in words and not _names_start(words):
        words += _SCRATCH
    if name == "sdd-experiment" or "--runs" in words:
        words += ["--runs", "2"]
    if name == "sdd-experiment" and not any(word.startswith("epochs=") for word in words):
        words += ["--set", "epochs=1"]
    if name == "sdd-explain" and "--data" in words:
        words += ["--count", "2"]
    if "int8" in words:
        # What one epoch has taught the page's own model, coarser numbers change too much.
        words = ["strip" if word == "runs/mine" else word for word in words]
        words += ["--size", "64x128"]
    if name == "sdd-synthesize" and "gan" in words:
        words += ["--epochs", "1"]
    if name == "sdd-synthesize" and "--per-class" in words:
        place = words.index("--per-class") + 1
        words[place] = words[place] if "=" in words[place] else "2"
    return words


def _names_start(words: list[str]) -> bool:
    """Whether a file of settings says what training starts from."""
    files = [Path(word) for word in words if word.endswith(".json")]
    return any('"init"' in file.read_text(encoding="utf-8") for file in files if file.is_file())


def shortened_file(text: str) -> str:
    """Give the content of a file with what shortens it."""
    return re.sub(r'"runs": \d+', '"runs": 2', text)


def unshortened(name: str) -> list[str]:
    """Give the words that run a command of this package as it is."""
    code = f"from tests.reading.shorten import COMMANDS; COMMANDS[{name!r}].load()()"
    return [sys.executable, "-P", "-c", code]


def write(folder: Path) -> None:
    """Write a program for each command into a folder, which is to be first in PATH."""
    for name in (*COMMANDS, "pip"):
        program = folder / name
        call = f'exec "{sys.executable}" -P -m tests.reading.shorten {name} "$@"'
        program.write_text(f"#!/bin/sh\n{call}\n", encoding="utf-8")
        program.chmod(0o755)


def main(name: str, words: list[str]) -> None:
    """Run a command, shortened."""
    if name == "pip":
        _install(words)
    elif name == "sdd-serve" and "--help" not in words:
        _serve(words)
    else:
        COMMANDS[name].load()(shortened(name, words), prog_name=name)


def _install(words: list[str]) -> None:
    """Look whether what a page installs is here: nothing is fetched."""
    extras = set(metadata(PACKAGE).get_all("Provides-Extra") or ())
    for word in words[1:]:
        wanted = PACKAGE + word[1:] if word.startswith(".") else word
        if word.startswith("-"):
            continue
        missing = Requirement(wanted).extras - extras if PACKAGE in wanted else ()
        assert not missing, f"{PACKAGE} has no {missing}"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wanted]
        subprocess.run(pip, check=True)


def _serve(words: list[str]) -> None:
    """Start a server beside the page, at the port that its addresses are led to."""
    stop_serving()
    port, home = os.environ["PAGE_PORT"], Path(os.environ["PAGE_HOME"])
    with (home / "server.log").open("w", encoding="utf-8") as log:
        call = [*unshortened("sdd-serve"), *words, "--port", port]
        process = subprocess.Popen(call, stdout=log, stderr=log)
    (home / "server").write_text(f"{process.pid}", encoding="utf-8")
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if _is_served():
            return
        time.sleep(0.2)
    sys.exit(f"sdd-serve does not serve: {(home / 'server.log').read_text(encoding='utf-8')}")


def stop_serving() -> None:
    """Stop the server, if one runs, as Ctrl-C does."""
    note = Path(os.environ["PAGE_HOME"]) / "server"
    if note.is_file():
        with suppress(ProcessLookupError):
            os.kill(int(note.read_text(encoding="utf-8")), signal.SIGINT)
        note.unlink()
        while _is_served():
            time.sleep(0.2)


def _is_served() -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{os.environ['PAGE_PORT']}/health", timeout=5).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
