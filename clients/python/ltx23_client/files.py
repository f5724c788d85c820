"""Read what a caller sends as a file, and write clips whole or not at all."""

import base64
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

from ltx23_client.errors import InputError


class Readable(Protocol):
    def read(self) -> bytes: ...


class Savable(Protocol):
    """A picture of PIL, or what can be saved like one."""

    def save(self, fp: Any, format: str | None = None) -> None: ...


# A path, bytes, an open file, a picture of PIL (sent as PNG), or a data: URL.
Media: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Savable


def encode_media(media: Media, field: str) -> str:
    """Return a file in base64. Raises InputError, which names the field."""
    if isinstance(media, str) and media.startswith("data:"):
        return media
    if isinstance(media, str) and media.startswith(("http://", "https://")):
        raise InputError(field, "an address is not fetched: download it, and pass a path or bytes")
    return base64.b64encode(_read(media, field)).decode("ascii")


def _read(media: Media, field: str) -> bytes:
    if isinstance(media, (bytes, bytearray, memoryview)):
        return bytes(media)
    if isinstance(media, (str, os.PathLike)):
        try:
            return Path(media).read_bytes()
        except OSError as exc:
            raise InputError(field, f"{os.fspath(media)}: {exc.strerror or exc}") from exc
    if hasattr(media, "read"):
        data: object = media.read()
        if not isinstance(data, bytes):
            raise InputError(field, "the file is open as text: open it in binary mode, as in open(path, 'rb')")
        return data
    if hasattr(media, "save"):
        buffer = BytesIO()
        media.save(buffer, format="PNG")
        return buffer.getvalue()
    raise InputError(field, f"should be a path, bytes, an open file or a picture, got {type(media).__name__}")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once it is complete, and is removed if the block fails."""
    part = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
