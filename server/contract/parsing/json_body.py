"""Parse the bytes of a request as a JSON object."""

import json
from typing import Any

from server.contract.errors import RequestInvalid

# A value may be only three bytes of JSON, but takes about a hundred bytes of memory.
MAX_VALUES = 100_000
_SLICE_CHARACTERS = 1 << 20


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object. Raises RequestInvalid, located at the body, if it is anything else.

    NaN and Infinity are accepted, so that a later error can name their field.
    """
    if not body.strip():
        raise _invalid("The body is empty; it should be a JSON object")
    try:
        text = body.decode("utf-8-sig")
        validate_value_count(text)
        value = json.loads(text)
    except RequestInvalid:
        raise
    except UnicodeDecodeError as exc:
        raise _invalid("The body should be JSON in UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise _invalid(f"The body should be valid JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}") from exc
    except RecursionError as exc:
        raise _invalid("The body is nested too deeply; it should be one flat JSON object") from exc
    except ValueError as exc:
        # The interpreter limits the number of digits of an integer.
        raise _invalid("The body holds an integer with too many digits") from exc
    if not isinstance(value, dict):
        raise RequestInvalid.at((), "The body should be a JSON object", "dict_type")
    return value


def validate_value_count(json_text: str) -> None:
    """Raise RequestInvalid if `json_text` could contain more than MAX_VALUES values.

    Every value but the outermost follows a `{`, `[` or `,`. Those inside strings are counted too, which is faster;
    neither prompts nor base64 contain that many. Counting in slices lets other threads run in between.
    """
    count = 0
    for start in range(0, len(json_text), _SLICE_CHARACTERS):
        count += sum(json_text.count(mark, start, start + _SLICE_CHARACTERS) for mark in "{[,")
        if count > MAX_VALUES:
            raise RequestInvalid.at((), f"The body should hold at most {MAX_VALUES:,} values", "too_many_values")


def _invalid(msg: str) -> RequestInvalid:
    return RequestInvalid.at((), msg, "json_invalid")
