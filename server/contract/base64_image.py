"""Base64 text to the bytes of an image file. Does not look at the pixels."""

import base64
import binascii
import re

MAX_IMAGE_BYTES = 32 * 2**20

DATA_PREFIX = re.compile(r"\s*data:[^,]*,", re.IGNORECASE)
STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
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
    try:
        return base64.b64decode(payload + b"=" * (-len(payload) % 4), validate=True)
    except binascii.Error as exc:
        raise _not_base64() from exc


def _payload(text: str) -> bytes:
    try:
        return text.encode("ascii").translate(STANDARD_ALPHABET, WHITESPACE).rstrip(b"=")
    except UnicodeEncodeError as exc:
        raise _not_base64() from exc


def _not_base64() -> ValueError:
    return ValueError("The image should be a PNG, JPEG or WebP file in base64, and this is not valid base64")
