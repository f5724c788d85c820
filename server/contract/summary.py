"""Values of a request made safe to show: short, and valid in JSON and UTF-8."""

import math

MAX_SHOWN_CHARS = 64
MAX_SHOWN_BITS = 212  # of an integer; 64 decimal digits


def summarize(value: object) -> str | int | float | None:
    """`value` itself when it is a short scalar, else words about it."""
    match value:
        case None | bool():
            return value
        case int():
            return value if value.bit_length() <= MAX_SHOWN_BITS else _long_integer(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case str():
            return shorten(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
    return f"a {type(value).__name__}"


def shorten(text: str) -> str:
    if len(text) > MAX_SHOWN_CHARS:
        ending = f"... ({len(text)} characters)"
        text = text[: MAX_SHOWN_CHARS - len(ending)] + ending
    # A lone surrogate cannot be encoded, and would fail only when the answer is written.
    return text.encode("utf-8", "replace").decode()


def _long_integer(value: int) -> str:
    return f"an integer of about {int(value.bit_length() * math.log10(2)) + 1} digits"
