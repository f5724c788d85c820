"""Parse the bytes of a form. Text is always read as UTF-8; files become base64, as in JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from server.contract.base64_image import encode_base64
from server.contract.body import validate_value_count
from server.contract.errors import RequestInvalid

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 10_000
# Each escape takes an object while text is decoded.
MAX_ESCAPES = 1_000_000
_SLICE_BYTES = 1 << 20

Fields = list[tuple[str, str]]


def parse_multipart(body: bytes, boundary: bytes) -> Fields:
    """Return the fields in order, without empty files. Raises RequestInvalid."""
    parts = _Parts()
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        # Slices let other threads run in between.
        for start in range(0, len(body), _SLICE_BYTES):
            parser.write(body[start : start + _SLICE_BYTES])
    except FormParserError as exc:
        raise _invalid("The form should be valid multipart/form-data") from exc
    if not parts.is_complete:
        raise _invalid("The form should end with its closing boundary; a part of it seems to be missing")
    return _within_limits([(part.name, part.text()) for part in parts.all if not part.is_empty_file])


def parse_urlencoded(body: bytes) -> Fields:
    """Return the fields in order. Raises RequestInvalid."""
    if body.count(b"%") > MAX_ESCAPES:
        raise _invalid(f"The form should have at most {MAX_ESCAPES:,} escapes such as %2B; send multipart/form-data")
    pairs = body.split(b"&", MAX_FIELDS)
    _validate_field_count(len(pairs))
    splits = (pair.partition(b"=") for pair in pairs if pair)
    return _within_limits([(_unquote(name), _unquote(value)) for name, _, value in splits])


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    name: str = ""
    is_file: bool = False

    def read_headers(self) -> None:
        _, options = parse_options_header(self.headers.get(b"content-disposition"))
        if b"name" not in options:
            raise _invalid("Each part of the form should have a name in its Content-Disposition")
        self.name = _decode(options[b"name"])
        self.is_file = b"filename" in options

    @property
    def is_empty_file(self) -> bool:
        return self.is_file and not self.data

    def text(self) -> str:
        content_type = self.headers.get(b"content-type", b"").lower()
        if self.is_file and not content_type.startswith((b"text/", b"application/json")):
            return encode_base64(self.data)
        return _decode(self.data, self.name)


class _Parts:
    """Collects the parts that the parser finds."""

    def __init__(self) -> None:
        self.all: list[_Part] = []
        self.is_complete = False
        self._header_name, self._header_value = bytearray(), bytearray()

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": lambda: self.all[-1].read_headers(),
            "on_part_data": lambda data, start, end: self.all[-1].data.extend(data[start:end]),
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self.all.append(_Part())
        _validate_field_count(len(self.all))

    def _end_header(self) -> None:
        self.all[-1].headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _end(self) -> None:
        self.is_complete = True


def _unquote(data: bytes) -> str:
    return _decode(unquote_to_bytes(data.replace(b"+", b" ")))


def _decode(data: bytes | bytearray, *loc: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise RequestInvalid.at(loc, "The text of a form should be UTF-8", "form_invalid") from exc


def _within_limits(fields: Fields) -> Fields:
    """Validate the number of values in each text, which may be JSON, and return the fields. Raises RequestInvalid."""
    for _, text in fields:
        validate_value_count(text)
    return fields


def _validate_field_count(count: int) -> None:
    if count > MAX_FIELDS:
        raise _invalid(f"The form should have at most {MAX_FIELDS:,} fields")


def _invalid(msg: str) -> RequestInvalid:
    return RequestInvalid.at((), msg, "form_invalid")
