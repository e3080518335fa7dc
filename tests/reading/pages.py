"""The pages of the documentation and the blocks in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ALL = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

# They quote measurements that took hours, or what a program wrote.
_QUOTING = {"CONTRIBUTING.md", "architecture.md", "cli.md", "performance.md", "results.md"}
_QUOTING |= {"scaling.md"}
RUN = [page for page in ALL if page.name not in _QUOTING]
"""Pages whose blocks are run."""

_BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w.-]+)`:$")


class Block(NamedTuple):
    """A block between fences.

    Args:
        kind: ``sh`` for commands and ``python``, which are run; ``text`` for what is
            not; anything else is the content of a file.
        text: What it holds.
        line: Line of the page on which that begins, from 1.
        file: Name of the file, where the sentence before it ends with that.
    """

    kind: str
    text: str
    line: int
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Read the blocks of a page, in their order."""
    whole = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(whole):
        before = whole[: found.start()]
        file = _FILE.search(before.rstrip())
        yield Block(found[1], found[2], before.count("\n") + 2, file[1] if file else None)


def without_blocks(page: Path) -> str:
    """Give the text of a page between its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(block: Block) -> list[str]:
    """Split a block into lines, each with all that continues it, but for empty ones and remarks."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def named(page: Path) -> str:
    """Give a page's path below the root."""
    return page.relative_to(ROOT).as_posix()
