"""Decode base64 or a data URL to the bytes of an image or a sound. What they hold is not checked here."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.media import image_limits, sound_limits, source_limits
from pipelines.media.image_format import SUGGESTED as SUGGESTED_IMAGE
from pipelines.media.sound_format import SUGGESTED as SUGGESTED_SOUND

STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
WHITESPACE = " \t\r\n\f\v"

# Length limit of `data:image/png;base64,`, or a remnant of it: `image/png;base64,` or `base64,`.
MAX_PREFIX_CHARACTERS = 4096

# Sizes of a slice: 40 MB in one call would block every other thread, including the event loop's.
# Three bytes are four characters.
SLICE_CHARACTERS = 4 << 16
SLICE_BYTES = 3 << 16


@dataclass(frozen=True)
class FileKind:
    """The kind of file in a field, as its errors name it. suggested: files that are surely taken."""

    name: str
    suggested: str
    max_bytes: int


IMAGE = FileKind("image", SUGGESTED_IMAGE, image_limits.MAX_FILE_BYTES)
SOUND = FileKind("sound", SUGGESTED_SOUND, sound_limits.MAX_FILE_BYTES)
VIDEO = FileKind("video", source_limits.SUGGESTED, source_limits.MAX_FILE_BYTES)


def decode_base64_file(text: str, kind: FileKind) -> bytes:
    """Decode base64, standard or URL-safe, with or without padding, whitespace, percent signs and a `data:` prefix.

    A data URL that is not base64 contains percent-encoded bytes. The size is checked before decoding. Raises
    ValueError, whose message can be shown to the client.
    """
    payload = _find_payload(text.lstrip(WHITESPACE))
    if payload.size_bytes > kind.max_bytes:
        raise ValueError(f"The {kind.name} should be at most {kind.max_bytes / 2**20:g} MiB once decoded")
    try:
        data = b"".join(payload.slices() if payload.is_raw else _decode_base64(payload.slices()))
    except (binascii.Error, UnicodeEncodeError) as exc:
        msg = f"The {kind.name} should be a {kind.suggested} in base64, and this is not valid base64"
        raise ValueError(msg) from exc
    if not data:
        raise ValueError(f"The {kind.name} is empty; send a {kind.suggested} in base64")
    return data


def encode_base64(data: bytes | bytearray) -> str:
    """Encode in slices, so that other threads can run in between."""
    pieces = (base64.b64encode(data[start : start + SLICE_BYTES]) for start in range(0, len(data), SLICE_BYTES))
    return b"".join(pieces).decode("ascii")


@dataclass(frozen=True)
class _Payload:
    """The part of `text` from `start` on. is_raw: percent-encoded bytes; otherwise base64, perhaps percent-encoded."""

    text: str
    start: int
    is_raw: bool

    @property
    def size_bytes(self) -> int:
        """Return the size after decoding."""
        characters = len(self.text) - self.start - 2 * self.text.count("%", self.start)
        if self.is_raw:
            return characters
        ignored = sum(self.text.count(character, self.start) for character in WHITESPACE + "=")
        return (characters - ignored) * 3 // 4

    def slices(self) -> Iterator[bytes]:
        """Yield the payload in slices, with percent-encoding removed."""
        encoding = "utf-8" if self.is_raw else "ascii"
        starts = range(self.start, len(self.text), SLICE_CHARACTERS)
        slices = (self.text[start : start + SLICE_CHARACTERS].encode(encoding) for start in starts)
        return _unquote(slices) if "%" in self.text else slices


def _find_payload(text: str) -> _Payload:
    prefix, comma, _ = text[:MAX_PREFIX_CHARACTERS].partition(",")
    kind = prefix.rstrip().lower()
    if not comma or not (kind.startswith("data:") or kind.endswith("base64")):
        return _Payload(text, 0, is_raw=False)
    start = len(prefix) + 1
    # Many clients leave out `;base64`; base64 itself contains neither `%` nor `<`.
    is_raw = not kind.endswith("base64") and ("%" in text or text[start:].lstrip().startswith("<"))
    return _Payload(text, start, is_raw)


def _unquote(slices: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for each in slices:
        data = rest + each
        cut = data.find(b"%", max(0, len(data) - 2))
        rest = data[cut:] if cut >= 0 else b""
        yield _unquote_slice(data[: len(data) - len(rest)])
    yield _unquote_slice(rest)


def _unquote_slice(data: bytes) -> bytes:
    """Decode percent-encoding as quoted-printable with `=` for `%`: urllib takes seconds for megabytes of escapes."""
    return binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


def _decode_base64(slices: Iterator[bytes]) -> Iterator[bytes]:
    """Yield decoded slices. Raises binascii.Error, also if data follows the padding."""
    rest, is_padded = b"", False
    for each in slices:
        data, padding, after = each.translate(STANDARD_ALPHABET, WHITESPACE.encode()).partition(b"=")
        if (is_padded and data) or after.strip(b"="):
            raise binascii.Error("data after padding")
        is_padded = is_padded or bool(padding)
        data = rest + data
        whole = len(data) - len(data) % 4
        rest = data[whole:]
        yield base64.b64decode(data[:whole], validate=True)
    yield base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)
