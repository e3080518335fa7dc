"""One process at a time: a lock that vanishes with its process.

The lock belongs to the open file and not to the file's existence, so a process
that is killed leaves nothing that would keep the next one waiting.
"""

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_LOG = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.1
# Windows says EACCES or EDEADLK, the others EAGAIN or EACCES.
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Hold the lock of a file or folder, after waiting for whoever holds it.

    A file system that knows no locks is trusted to have one user only. Having
    to wait is remarked on in the log.

    Args:
        target: What the work is about; the lock is a hidden file beside it,
            which is gone afterwards. Its folder must exist.
    """
    path = target.with_name(f".{target.name}.lock")
    file = _take(path)
    if file is None:
        _LOG.info("another process is working on %s; waiting for it", target)
    while file is None:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        file = _take(path)
    try:
        yield
    finally:
        # Deleted while it is held; who waits for the deleted file notices and takes a new one.
        # Windows deletes no open files: there it stays behind, empty.
        with suppress(OSError):
            path.unlink()
        file.close()


def _take(path: Path) -> BinaryIO | None:
    file = path.open("ab")
    try:
        _lock(file)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    except FileNotFoundError:
        # The one before deleted it between opening and locking.
        pass
    except OSError as error:
        if error.errno not in _BUSY:
            return file
    file.close()
    return None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
