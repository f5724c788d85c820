"""Regular files, opened without waiting: a path may also lead to a folder, a FIFO or a device."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from weights.errors import FileError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class FileVersion(NamedTuple):
    """A file as it is now: equal versions have equal bytes."""

    path: Path
    inode: int
    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileVersion":
        """Raise FileError if there is no such file."""
        try:
            status = path.stat()
        except (OSError, ValueError) as exc:
            raise FileError(path, f"cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
        return cls(path, status.st_ino, status.st_size, status.st_mtime_ns)


@contextmanager
def open_regular(path: Path, needed: str) -> Iterator[tuple[BinaryIO, int]]:
    """Yield the open file and its size in bytes. needed: what the path should lead to, for the message.

    Raise FileError when the path leads to anything but a regular file, or reading fails in the block.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO waits until another process writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            yield file, _regular_size(path, file, needed)
    except OSError as exc:
        if kind := _kind(path):
            raise FileError(path, f"is {kind}; {needed} is needed") from exc
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc


def _regular_size(path: Path, file: BinaryIO, needed: str) -> int:
    status = os.fstat(file.fileno())
    if kind := KINDS.get(stat.S_IFMT(status.st_mode)):
        raise FileError(path, f"is {kind}; {needed} is needed")
    return status.st_size


def _kind(path: Path) -> str | None:
    """Return what the path leads to where opening it fails: a folder, a socket; None for a regular file."""
    try:
        return KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except OSError:
        return None
