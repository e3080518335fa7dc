"""The processes that train together: which one this is, and how many there are."""

from torch import distributed


def processes() -> tuple[int, int]:
    """Number of this process, from 0, and how many there are."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_first() -> bool:
    """Whether this process is the one that writes what all have in common."""
    return processes()[0] == 0
