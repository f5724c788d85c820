"""From the bytes of a form to the JSON body that it represents.

Text is always read as UTF-8, and files become base64, as in JSON. Every value is text; the fields of a request accept
text for numbers and booleans.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from server.contract.errors import RequestInvalid
from server.contract.parsing.base64_file import encode_base64
from server.contract.parsing.json_body import validate_value_count

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 10_000
# Each escape takes an object while text is decoded.
MAX_ESCAPES = 1_000_000
_SLICE_BYTES = 1 << 20

# Fields that are text in JSON too, even if they look like an object.
TEXT = frozenset({"prompt", "negative_prompt"})
MAX_DEPTH = 4
MIXED = "Send this once: as one field, or as fields with brackets"

# `keyframes[][frame_idx]` (official client), `keyframes[0][frame_idx]` (others), `input_reference[image_url]`.
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

Fields = list[tuple[str, str]]
Path = tuple[str, ...]


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


def read_form(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nest the fields by their brackets; a repeated name becomes a list. Raises RequestInvalid."""
    values: dict[Path, list[Any]] = {}
    for name, text in fields:
        values.setdefault(_path(name), []).append(_value(name, text))
    body: dict[str, Any] = {}
    columns: dict[str, dict[str, list[Any]]] = {}
    for path, found in values.items():
        if len(path) == 3 and not path[1]:
            columns.setdefault(path[0], {})[path[2]] = found
        elif path[-1] or len(path) == 1:
            _insert(body, path, found[0] if len(found) == 1 else found)
        else:
            _insert(body, path[:-1], found)
    lists = {name: _objects(name, of_name) for name, of_name in columns.items()}
    return {name: _with_lists(value) for name, value in body.items()} | lists


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


def _path(name: str) -> Path:
    match = _NAME.fullmatch(name)
    if match is None or match[2].count("[") > MAX_DEPTH:
        return (name,)
    return (match[1], *re.findall(r"\[([^\[\]]*)\]", match[2]))


def _insert(body: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        inner = body.setdefault(part, {})
        if not isinstance(inner, dict):
            raise RequestInvalid.at((path[0],), MIXED, "form_mixed")
        body = inner
    if path[-1] in body:
        raise RequestInvalid.at((path[0],), MIXED, "form_mixed")
    body[path[-1]] = value


def _with_lists(value: Any) -> Any:
    """Convert objects whose names are all numbers to lists."""
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(item) for name, item in value.items()}
    if inner and all(re.fullmatch("[0-9]{1,4}", name) for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _objects(name: str, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Combine the values of each field into objects. Raises RequestInvalid unless every object has every field.

    With a field missing somewhere, it would be unclear which object a value belongs to.
    """
    if len({len(column) for column in columns.values()}) > 1:
        msg = "Each entry should have the same fields; or send the list as JSON in one field"
        raise RequestInvalid.at((name,), msg, "form_list_uneven")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _value(name: str, text: str) -> Any:
    """Parse JSON objects and lists; return anything else as text."""
    if name in TEXT or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
