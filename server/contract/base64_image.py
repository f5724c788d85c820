"""Base64 text to the bytes of an image file. Does not look at the pixels."""

import base64
import binascii
import re

MAX_IMAGE_BYTES = 32 * 2**20

DATA_PREFIX = re.compile(r"\s*data:[^,]*,", re.IGNORECASE)
STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
# Whole groups: three bytes are four characters.
_SLICE_BYTES = 3 << 18
_SLICE_CHARACTERS = 4 << 18
WHITESPACE = b" \t\r\n\f\v"


def decode_image(text: str, max_bytes: int = MAX_IMAGE_BYTES) -> bytes:
    """Standard or URL-safe, with or without padding, whitespace and a `data:` prefix.

    Raises ValueError, whose message can be shown. The size is known from the text, before it is decoded.
    """
    prefix = DATA_PREFIX.match(text)
    payload = _payload(text[prefix.end() :] if prefix else text)
    if not payload:
        raise ValueError("The image is empty; send a PNG, JPEG or WebP file in base64")
    if len(payload) * 3 // 4 > max_bytes:
        raise ValueError(f"The image should be at most {max_bytes / 2**20:g} MiB once decoded")
    return _decode(payload)


def encode_base64(data: bytes | bytearray) -> str:
    """Encode in slices, which let other threads run in between."""
    pieces = (base64.b64encode(data[start : start + _SLICE_BYTES]) for start in range(0, len(data), _SLICE_BYTES))
    return b"".join(pieces).decode("ascii")


def _decode(payload: bytes) -> bytes:
    """Decode in slices, which let other threads run in between."""
    if b"=" in payload:
        raise _not_base64()
    payload += b"=" * (-len(payload) % 4)
    pieces = (payload[start : start + _SLICE_CHARACTERS] for start in range(0, len(payload), _SLICE_CHARACTERS))
    try:
        return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
    except binascii.Error as exc:
        raise _not_base64() from exc


def _payload(text: str) -> bytes:
    pieces = (text[start : start + _SLICE_CHARACTERS] for start in range(0, len(text), _SLICE_CHARACTERS))
    try:
        cleaned = (piece.encode("ascii").translate(STANDARD_ALPHABET, WHITESPACE) for piece in pieces)
        return b"".join(cleaned).rstrip(b"=")
    except UnicodeEncodeError as exc:
        raise _not_base64() from exc


def _not_base64() -> ValueError:
    return ValueError("The image should be a PNG, JPEG or WebP file in base64, and this is not valid base64")
