"""Read the body of a request into a form in which equal requests are equal, whatever their bytes.

The order and the whitespace of JSON disappear, and so does the boundary of a form. A file in base64 is replaced by its
SHA-256 and its size, so that a `data:` prefix or line breaks make no difference.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from python_multipart.multipart import parse_options_header

from pipelines.errors import ImageError, SoundError
from pipelines.media.image_format import image_format
from pipelines.media.sound_format import sound_format
from server.contract.errors import RequestInvalid
from server.contract.parsing.base64_file import IMAGE, SOUND, FileKind, decode_base64_file
from server.contract.parsing.form import parse_multipart, parse_urlencoded, read_form

# A longer body is compared by its bytes: parsing it would take several times its size in memory.
MAX_PARSED_BYTES = 128 * 2**20
# No shorter text is decoded: the smallest image is longer.
MIN_FILE_CHARACTERS = 32
# A longer text is shown by its hash.
MAX_TEXT_CHARACTERS = 20_000


def read_content(body: bytes, content_type: str) -> dict[str, Any] | None:
    """Return `{"json": ...}`, `{"form": ...}` or, for anything else, `{"sha256": ...}`; None for an empty body."""
    if not body:
        return None
    if len(body) <= MAX_PARSED_BYTES:
        try:
            return {"json": _with_hashes(json.loads(body.decode("utf-8-sig")))}
        except (ValueError, RecursionError):
            pass
        try:
            form = _read_form(body, content_type)
        except RequestInvalid:
            form = None
        if form is not None:
            return {"form": _with_hashes(form)}
    return {"sha256": hashlib.sha256(body).hexdigest()}


def _read_form(body: bytes, content_type: str) -> dict[str, Any] | None:
    media_type, options = parse_options_header(content_type)
    if media_type == b"multipart/form-data" and options.get(b"boundary"):
        return read_form(parse_multipart(body, options[b"boundary"]))
    return read_form(parse_urlencoded(body)) if media_type == b"application/x-www-form-urlencoded" else None


def _with_hashes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_hashes(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_hashes(item) for item in value]
    return _with_hash(value) if isinstance(value, str) and len(value) >= MIN_FILE_CHARACTERS else value


def _with_hash(text: str) -> Any:
    """Return the hash of the file that `text` is in base64, or of a text that is very long, else the text."""
    data = _decode(text, IMAGE, image_format) or _decode(text, SOUND, sound_format)
    if data is None:
        data = text.encode("utf-8", "surrogatepass")
        if len(text) <= MAX_TEXT_CHARACTERS:
            return text
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _decode(text: str, kind: FileKind, recognise: Callable[[bytes], object]) -> bytes | None:
    """Return the file of this kind that `text` is in base64, or None. recognise: raises an error for any other file."""
    try:
        data = decode_base64_file(text, kind)
        recognise(data)
    except (ValueError, ImageError, SoundError):
        return None
    return data
