"""The fields of a form as the JSON body that they stand for: everything in a form is text. Knows no multipart."""

import json
import re
from collections.abc import Iterable
from typing import Any

from server.contract.errors import RequestInvalid

# What is text in JSON too, even where it looks like a number.
TEXT = frozenset({"prompt", "negative_prompt", "model", "seconds", "size", "input_reference", "input_image_b64"})
TEXT |= {"image", "image_b64", "image_url", "resolution", "video_format"}
# Of the official client: `keyframes[][frame_idx]`, `input_reference[image_url]`.
NESTED = re.compile(r"([^\[\]]+)(\[\])?\[([^\[\]]+)\]")


def read_form(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Numbers, booleans and JSON are read as such. Raises RequestInvalid when a list of objects is not even."""
    values: dict[str, Any] = {}
    lists: dict[str, dict[str, list[Any]]] = {}
    for name, text in fields:
        nested = NESTED.fullmatch(name)
        if nested is None:
            values[name] = _value(name, text)
        elif nested[2]:
            lists.setdefault(nested[1], {}).setdefault(nested[3], []).append(_value(nested[3], text))
        else:
            inner = values.setdefault(nested[1], {})
            if isinstance(inner, dict):
                inner[nested[3]] = _value(nested[3], text)
    return values | {name: _objects(name, columns) for name, columns in lists.items()}


def _objects(name: str, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Which object a value belongs to shows only where each object has all of them."""
    if len({len(column) for column in columns.values()}) > 1:
        msg = "Each entry should have the same fields; or send the list as JSON in one field"
        raise RequestInvalid.at((name,), msg, "form_list_uneven")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _value(name: str, text: str) -> Any:
    if name in TEXT:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
