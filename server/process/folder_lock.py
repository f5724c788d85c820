"""Lock a folder for one process. The lock ends with the process, however the process ends."""

import fcntl
import os
from pathlib import Path

LOCK = "lock"


def lock_folder(folder: Path, flags: int = 0) -> int:
    """Lock the folder; return the descriptor that holds the lock.

    Raises BlockingIOError if another process holds it, and OSError if there is no lock file.
    """
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | flags, mode=0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise
    return fd
