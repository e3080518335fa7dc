"""Follow a page in the folder one stands in: run its commands and its Python, in their order.

python -m tests.reading.follow PAGE

Variables, the folder and what Python has named are kept from block to block, as for
somebody with one terminal and one prompt. Files that the page shows by name are written.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from tests.reading import shorten
from tests.reading.pages import Block, blocks

_STATE = "import json, os; print(json.dumps([os.getcwd(), dict(os.environ)]))"


def main(page: Path) -> int:
    """Follow a page; on the first fault say which block it is in, and stop."""
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        for block in reversed(list(blocks(page))):
            _write_file(block)
        for block in map(_led_to_port, blocks(page)):
            click.echo(f"\n--- {page.name}, line {block.line}")
            if block.kind == "sh":
                _run_shell(block)
            elif block.kind == "python" and not block.text.startswith(">>>"):
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
            _write_file(block)
    except subprocess.CalledProcessError as error:
        click.echo(f"the last command above ended with the status {error.returncode}")
        return 1
    finally:
        shorten.stop_serving()
    return 0


def _write_file(block: Block) -> None:
    if block.file and block.kind not in {"sh", "python", "text"}:
        Path(block.file).write_text(shorten.shortened_file(block.text), encoding="utf-8")


def _led_to_port(block: Block) -> Block:
    """Lead the addresses of a server to the port that is free here."""
    address = rf"\g<1>:{os.environ['PAGE_PORT']}"
    return block._replace(text=re.sub(r"(127\.0\.0\.1|localhost):\d+", address, block.text))


def _run_shell(block: Block) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.json"
        keep = shlex.join([sys.executable, "-c", _STATE]) + f" > {state}"
        script = f"{block.text}\n{{ set +x; }} 2> {os.devnull}\n{keep}"
        # -x shows each command before it is run, as a terminal does.
        words = ["bash", "-euxo", "pipefail", "-c", script]
        subprocess.run(words, check=True, stderr=subprocess.STDOUT)
        place, variables = json.loads(state.read_text(encoding="utf-8"))
    os.chdir(place)
    os.environ.clear()
    os.environ.update(variables)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
