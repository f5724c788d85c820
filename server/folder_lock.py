"""A folder that one process alone uses. The lock ends with the process, however that ends."""

import fcntl
import os
from pathlib import Path

LOCK = "lock"


def lock_folder(folder: Path, flags: int = 0) -> int:
    """Its descriptor. Raises BlockingIOError when another process holds it, and OSError where there is none."""
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | flags, mode=0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
