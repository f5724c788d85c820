"""A file of API keys that is read again when it changes."""

import logging
import os
import stat
from pathlib import Path

from server.edge.key_digest import KeyRingError, key_digest

log = logging.getLogger("ltx23.keys")

_OTHERS_ACCESS = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP
# Changes when the file is written or replaced, or when a symbolic link points elsewhere.
Stamp = tuple[int, int, int, int, int]


class KeyFile:
    """A file with one key per line; blank lines and lines that start with # are skipped.

    Raises KeyRingError if the file cannot be used at the start. If a changed file cannot be used (missing, empty, or
    with a line that no header can carry), the error is logged and the previous keys stay valid: a file that is read
    while it is being written must not lock everyone out. A pipe, such as `--api-keys-file <(...)` in a shell, is read
    once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: Stamp | None
        self._stamp, self._digests = _read(path)
        self._is_watched = path.is_file()

    def digests(self) -> tuple[bytes, ...]:
        """Return the digests of the file's current keys."""
        if self._is_watched and (stamp := _stamp_of(self._path)) != self._stamp:
            self._stamp = stamp
            self._read_again()
        return self._digests

    def _read_again(self) -> None:
        try:
            if self._stamp is None:
                raise KeyRingError(f"Key file {self._path} is missing or is not a file")
            self._stamp, self._digests = _read(self._path)
        except KeyRingError as exc:
            log.error("%s; the keys that were read before stay valid", exc)
        else:
            log.info("Key file %s has changed: %d keys", self._path, len(self._digests))


def _stamp_of(path: Path) -> Stamp | None:
    """Return None if the path is not a regular file: opening a pipe could block for ever."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _stamp(status) if stat.S_ISREG(status.st_mode) else None


def _read(path: Path) -> tuple[Stamp, tuple[bytes, ...]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            status = os.fstat(file.fileno())
            lines = file.read().splitlines()
    except OSError as exc:
        raise KeyRingError(f"Key file {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise KeyRingError(f"Key file {path} is not text") from exc
    if status.st_mode & _OTHERS_ACCESS:
        log.warning("Key file %s can be read or written by other users: chmod 600 it", path)
    stripped = ((number, line.strip()) for number, line in enumerate(lines, 1))
    keys = [(number, line) for number, line in stripped if line and not line.startswith("#")]
    if not keys:
        raise KeyRingError(f"Key file {path} has no keys")
    return _stamp(status), tuple(key_digest(key, f"Key file {path}, line {number}") for number, key in keys)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
