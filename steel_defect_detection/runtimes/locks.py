"""Keep two programs from writing into the same folder at the same time."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import time

from filelock import FileLock, Timeout

from steel_defect_detection.errors import ResultsError
from steel_defect_detection.runtimes import cache

_LOG = logging.getLogger(__name__)


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Keep other programs on this machine from writing into a folder meanwhile.

    The lock is an empty file in the user's cache folder. It is let go with the program, however
    that ends.

    Args:
        output: The folder, which need not exist.

    Raises:
        ResultsError: If another program is writing there.
    """
    with ExitStack() as held:
        try:
            home = cache.folder() / "locks"
            home.mkdir(parents=True, exist_ok=True)
            _forget_old(home)
            name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()
            held.enter_context(FileLock(home / f"{name}.lock", 0))
        except Timeout as error:
            msg = f"another run is writing into {output}: wait for its end, or name another folder"
            raise ResultsError(msg) from error
        except (OSError, NotImplementedError) as error:
            # A cache that cannot be written is no reason not to work.
            _LOG.debug("no lock for %s: %s", output, error)
        yield


def _forget_old(home: Path) -> None:
    """Remove locks that nobody has taken for three months."""
    for path in home.glob("*.lock"):
        with suppress(OSError):
            if path.stat().st_mtime < time() - cache.SECONDS_KEPT:
                path.unlink()
