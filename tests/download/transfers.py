"""The file that tests of transfers fetch, and what they look at afterwards."""

import hashlib
import random
from pathlib import Path

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = random.Random(1).randbytes(300_000)


def names(folder: Path) -> list[str]:
    """Names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def ranges(server) -> list[str | None]:
    """The ``Range`` of each request to a server, in order."""
    return [headers.get("Range") for _, headers in server.requests]
