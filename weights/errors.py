"""Errors of weights. Every message names the file or its source and says what would be right.

WeightsError
+-- FileError             missing, unreadable, truncated, not safetensors
+-- UnsupportedError      a readable file that is not LTX-2.3 distilled, or has an unsupported layout
+-- TensorError           a tensor is missing, unexpected, has a wrong shape or was never loaded
+-- UnknownSetError       no weight set or text encoder of this name
+-- IntegrityError        not the published bytes
|   +-- SizeError         a different size
|   +-- HashError         the same size, a different hash
+-- DownloadError         a file could not be fetched
    +-- HubError          the hub's answer is unusable
    |   +-- UnreachableError   no answer, or one that means "later"; retried first
    +-- AccessError       gated, private, or a rejected token
    +-- NotFoundError     no such repository, revision or file
    +-- OfflineError      something is missing, and the hub's offline mode is on
    +-- DiskError         no room or no permission to write
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Self


class WeightsError(Exception):
    """Base of every error that this package raises on purpose."""


class FileError(WeightsError):
    """The file cannot be read as safetensors."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class UnsupportedError(WeightsError):
    """The file is intact, but not one that this server runs."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class TensorError(WeightsError):
    """The tensors of a file and the parameters of a module do not match one to one."""


class UnknownSetError(WeightsError):
    """The registry has no such entry."""

    def __init__(self, kind: str, name: str | None, known: Iterable[str]) -> None:
        super().__init__(f"there is no {kind} {name!r}; there are {', '.join(known)}")


class IntegrityError(WeightsError):
    """The bytes are not the published ones."""

    def with_advice(self, advice: str) -> Self:
        """Return the same error with advice on what to do."""
        return type(self)(f"{self}; {advice}")


class SizeError(IntegrityError):
    @classmethod
    def of(cls, name: str, expected: int, found: int) -> Self:
        return cls(f"{name} has {found:,} bytes, {expected:,} were expected")


class HashError(IntegrityError):
    @classmethod
    def of(cls, name: str, kind: str, expected: str, found: str, lookalike: str = "") -> Self:
        """`lookalike`: what else the file may be."""
        message = f"{name} has the {kind} {found}, {expected} was expected"
        return cls(f"{message} ({lookalike})" if lookalike else message)


class DownloadError(WeightsError):
    """A file could not be fetched; the part that has arrived is kept."""


class HubError(DownloadError):
    """The answer is not one that a hub gives."""


class UnreachableError(HubError):
    """Raised for no answer, a broken connection, or an answer that means "later"."""


class AccessError(DownloadError):
    """The hub has the file but does not give it to this user."""


class NotFoundError(DownloadError):
    """The hub has no such repository, revision or file."""


class OfflineError(DownloadError):
    """HF_HUB_OFFLINE is set, and a file is missing."""


class DiskError(DownloadError):
    """The disk cannot take the file."""
