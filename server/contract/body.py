"""The bytes of a request as a JSON object, whatever its Content-Type says."""

import json
from typing import Any

from server.contract.errors import RequestInvalid


def parse_body(body: bytes) -> dict[str, Any]:
    """Raises RequestInvalid at the body. NaN and Infinity are read, so that their field can refuse them."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise _invalid("The body should be JSON in UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise _invalid(f"The body should be valid JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}") from exc
    except RecursionError as exc:
        raise _invalid("The body is nested too deeply; it should be one flat JSON object") from exc
    except ValueError as exc:
        # The interpreter's limit on the digits of an integer.
        raise _invalid("The body holds an integer with too many digits") from exc
    if not isinstance(value, dict):
        raise RequestInvalid.at((), "The body should be a JSON object", "dict_type")
    return value


def _invalid(msg: str) -> RequestInvalid:
    return RequestInvalid.at((), msg, "json_invalid")
