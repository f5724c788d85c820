"""Text to the bytes of an image file: base64 or a data URL. Does not look at the pixels."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.media.image_limits import MAX_FILE_BYTES

STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
WHITESPACE = " \t\r\n\f\v"

# Of `data:image/png;base64,`, or what clients leave of it: `image/png;base64,` or `base64,`.
MAX_PREFIX_CHARACTERS = 4096

# Read at a time: 40 MB in one go would hold up every other thread, the event loop's too.
# Three bytes are four characters.
SLICE_CHARACTERS = 4 << 16
SLICE_BYTES = 3 << 16


def decode_image(text: str, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Decode base64, standard or URL-safe, with or without padding, whitespace, percent signs and a `data:` prefix.

    A data URL that is not in base64 has its bytes percent-encoded. Raise ValueError, whose message can be shown. The
    size is known from the text, before it is decoded.
    """
    payload = _find_payload(text.lstrip(WHITESPACE))
    if payload.size_bytes > max_bytes:
        raise ValueError(f"The image should be at most {max_bytes / 2**20:g} MiB once decoded")
    try:
        data = b"".join(payload.slices() if payload.is_raw else _decode_base64(payload.slices()))
    except (binascii.Error, UnicodeEncodeError) as exc:
        msg = "The image should be a PNG, JPEG or WebP file in base64, and this is not valid base64"
        raise ValueError(msg) from exc
    if not data:
        raise ValueError("The image is empty; send a PNG, JPEG or WebP file in base64")
    return data


def encode_base64(data: bytes | bytearray) -> str:
    """Encode in slices, which let other threads run in between."""
    pieces = (base64.b64encode(data[start : start + SLICE_BYTES]) for start in range(0, len(data), SLICE_BYTES))
    return b"".join(pieces).decode("ascii")


@dataclass(frozen=True)
class _Payload:
    """The part of `text` from `start` on. is_raw: bytes, percent-encoded; else base64, perhaps percent-encoded."""

    text: str
    start: int
    is_raw: bool

    @property
    def size_bytes(self) -> int:
        """Once decoded."""
        characters = len(self.text) - self.start - 2 * self.text.count("%", self.start)
        if self.is_raw:
            return characters
        ignored = sum(self.text.count(character, self.start) for character in WHITESPACE + "=")
        return (characters - ignored) * 3 // 4

    def slices(self) -> Iterator[bytes]:
        """Yield it without percent-encoding."""
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
    # Many leave out `;base64`, and base64 has neither of these.
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
    """Decode as quoted-printable, which writes `=` for `%`: urllib takes seconds for megabytes of escapes."""
    return binascii.a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


def _decode_base64(slices: Iterator[bytes]) -> Iterator[bytes]:
    """Raise binascii.Error. Nothing but padding may follow padding."""
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
