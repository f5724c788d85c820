"""Recognise values that mean that a field was not sent, as in forms and generated clients."""

from server.contract.wire import GenerateRequest

ZERO_MEANS_ABSENT = frozenset({"fps", "frame_rate", "duration"})
# Fields of which an empty list says something.
EMPTY_MEANS_NONE = frozenset({"loras"})
# Fields for which an empty object is an error, like any other object.
SCALARS = GenerateRequest.model_fields.keys() - {"keyframes", "input_image_b64"}


def is_absent(name: str, value: object) -> bool:
    """Return whether the field `name` counts as not sent. An empty prompt is kept: it has an error of its own."""
    if name == "prompt":
        return value is None
    if (name in SCALARS and value == {}) or (name in EMPTY_MEANS_NONE and value == []):
        return False
    return is_empty(value) or (name in ZERO_MEANS_ABSENT and _is_zero(value))


def is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _is_zero(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return float(value) == 0
    except (ValueError, OverflowError):
        return False
