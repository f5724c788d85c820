"""Convert the fields of a form to the JSON body that they represent.

Every value in a form is text; the fields of a request accept text for numbers and booleans.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from server.contract.errors import RequestInvalid

# Fields that are text in JSON too, even if they look like an object.
TEXT = frozenset({"prompt", "negative_prompt"})
MAX_DEPTH = 4
MIXED = "Send this once: as one field, or as fields with brackets"
# `keyframes[][frame_idx]` (official client), `keyframes[0][frame_idx]` (others), `input_reference[image_url]`.
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")

Path = tuple[str, ...]


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
