"""Is there room for it?"""

import shutil
from pathlib import Path

from steel_defect_detection.errors import DownloadError


def require(folder: Path, size: int, *, purpose: str) -> None:
    """Refuse to start what cannot end.

    Args:
        folder: Existing folder on the disk in question.
        size: Bytes that will be written.
        purpose: What for, as the end of "there is no room".

    Raises:
        DownloadError: If fewer bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        msg = (
            f"there is no room {purpose}: it takes {readable(size)}, and {folder} has "
            f"{readable(free)} free. Make room, or choose another --output"
        )
        raise DownloadError(msg)


def readable(size: int) -> str:
    """Say a number of bytes in words.

    Example:
        >>> readable(999), readable(101_831_129), readable(1_700_000_000)
        ('999 bytes', '102 MB', '1.7 GB')
    """
    if size < 1000:
        return f"{size} bytes"
    if size < 10**6:
        return f"{size / 10**3:.0f} kB"
    return f"{size / 10**6:.0f} MB" if size < 10**9 else f"{size / 10**9:.1f} GB"
