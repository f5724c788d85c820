"""Write files: whole or not at all, by one process at a time, and only where there is room."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weights.errors import DiskError

LOCK_NAME = ".lock"
# Of a file that is not complete yet.
PART_SUFFIX = ".part"

# The bytes that can still be written below a folder.
FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def format_bytes(size_bytes: int) -> str:
    """Format a size in powers of ten, as the hub and disk makers do."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} B"


def validate_room(folder: Path, needed_bytes: int, free: int) -> None:
    """Raise DiskError before the first byte is written if the last would not fit."""
    if needed_bytes > free:
        raise DiskError(f"{folder}: the files still to come need {format_bytes(needed_bytes)}, "
                        f"{format_bytes(free)} are free; make room, or choose another folder")  # fmt: skip


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to. The file takes the place of `path`, or is removed if the block fails."""
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn OSErrors of the block, which writes `path`, into DiskErrors."""
    try:
        yield
    except OSError as exc:
        reason = exc.strerror or exc
        raise DiskError(f"{path}: cannot be written: {reason}; what has arrived is kept, pull again after") from exc


@contextmanager
def locked(folder: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Admit one process at a time; another waits and says so. The kernel frees the lock of a killed process."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    try:
        with disk_errors(folder / LOCK_NAME):
            _acquire(file, lambda: note(f"another process is pulling into {folder}; waiting for it"))
        yield
    finally:
        os.close(file)


def _acquire(file: int, on_wait: Callable[[], None]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait()
        fcntl.flock(file, fcntl.LOCK_EX)
