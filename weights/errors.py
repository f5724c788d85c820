"""What can be wrong with weights. Every message names the file or its source, and says what would be right.

WeightsError
+-- FileError             missing, unreadable, cut short, not safetensors
+-- UnsupportedError      a readable file that is not LTX-2.3 distilled, or not in a layout that is read here
+-- TensorError           a tensor is missing, left over, mis-shaped or never loaded
+-- UnknownSetError       no weight set or text encoder of this name
+-- IntegrityError        not the published bytes
|   +-- SizeError         too many or too few of them
|   +-- HashError         as many, but others
+-- DownloadError         a file could not be fetched
    +-- HubError          the hub's answer is of no use
    |   +-- UnreachableError   no answer, or one that means "later"; these are tried again first
    +-- AccessError       gated, private, or a token that is not accepted
    +-- NotFoundError     no such repository, revision or file
    +-- OfflineError      something is missing, and the hub's offline mode is on
    +-- DiskError         no room, or no right to write
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Self


class WeightsError(Exception):
    """Base of everything this package raises on purpose."""


class FileError(WeightsError):
    """The file cannot be read as safetensors."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class UnsupportedError(WeightsError):
    """The file is sound, but not one that this server runs."""

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
    """The bytes are not those that were published."""

    def advising(self, advice: str) -> Self:
        """The same error, with what to do about it where it happened."""
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
    """A file could not be fetched. What has arrived of it is kept."""


class HubError(DownloadError):
    """The hub answered, but not as a hub does."""


class UnreachableError(HubError):
    """No answer, a connection that broke, or an answer that means "later"."""


class AccessError(DownloadError):
    """The hub knows the file, and does not give it to this user."""


class NotFoundError(DownloadError):
    """The hub knows no such repository, revision or file."""


class OfflineError(DownloadError):
    """HF_HUB_OFFLINE is set, and not everything is here."""


class DiskError(DownloadError):
    """The disk does not take the file."""
