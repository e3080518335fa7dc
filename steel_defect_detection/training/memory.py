"""Memory that a training keeps instead of handing it back after every step."""

import ctypes
import os
import platform

# Numbers of glibc's <malloc.h>, https://man7.org/linux/man-pages/man3/mallopt.3.html
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for the next time it asks.

    Each step of a training on a processor frees gigabytes and asks for as much
    again. By default, glibc returns large blocks to the kernel, which clears
    every page of the next ones anew; a third of a step may go into that.

    Nothing is changed where the C library is another one, or where somebody
    has settled it by a variable of glibc (``MALLOC_…_`` or ``GLIBC_TUNABLES``).

    Returns:
        Whether the process keeps its memory from now on.
    """
    settled = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if settled or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    # No blocks of their own for what is large, and never an end of the heap given back.
    return all(library.mallopt(*one) == 1 for one in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1)))
