"""The valid API keys: those of the settings, and those of a file that is read again when it changes."""

import hashlib
import hmac
import logging
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

log = logging.getLogger("ltx23.keys")

_KEY_ID_DIGITS = 8
# The characters that all three headers carry unchanged.
_KEY = re.compile(r"[!-~]+")
_OTHERS_ACCESS = stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP
# Changes when the file is written or replaced, or when a symbolic link points elsewhere.
Stamp = tuple[int, int, int, int, int]


class KeyRingError(ValueError):
    """A key that no request could present, or a key file without usable keys. The message never shows a key."""


class KeyRing:
    """The digests of the valid keys. An empty ring lets everyone in.

    A key file is read again when it changes. Raises KeyRingError if a key or the file cannot be used.
    """

    def __init__(self, keys: Collection[str] = (), key_file: Path | None = None) -> None:
        if isinstance(keys, str):
            raise TypeError("keys is a collection of keys, not one key")
        self._fixed = tuple(_digest(key, f"API key {number}") for number, key in enumerate(keys, 1))
        self._file = None if key_file is None else KeyFile(key_file)

    def __len__(self) -> int:
        return len(self._digests())

    def __repr__(self) -> str:
        return f"KeyRing({len(self)} keys)"

    def identify(self, key: bytes) -> str | None:
        """Return the id of a key on the ring, or None. The time taken does not depend on which key matches."""
        presented = hashlib.sha256(key).digest()
        matches = [digest for digest in self._digests() if hmac.compare_digest(digest, presented)]
        return _key_id(matches[0]) if matches else None

    def key_ids(self) -> list[str]:
        return [_key_id(digest) for digest in self._digests()]

    def _digests(self) -> Collection[bytes]:
        from_file = () if self._file is None else self._file.digests()
        return dict.fromkeys((*self._fixed, *from_file))


def _key_id(digest: bytes) -> str:
    """Return the start of a key's digest: enough to tell keys apart in a log, too little to find the key."""
    return digest.hex()[:_KEY_ID_DIGITS]


def _digest(key: str, origin: str) -> bytes:
    """Return the SHA-256 of `key`. `origin` says in an error where the key came from. Raises KeyRingError."""
    if not _KEY.fullmatch(key):
        raise KeyRingError(f"{origin}: a key is made of visible ASCII characters, without spaces")
    return hashlib.sha256(key.encode("ascii")).digest()


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
    return _stamp(status), tuple(_digest(key, f"Key file {path}, line {number}") for number, key in keys)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
