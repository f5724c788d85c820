"""Recognise values that mean that a field was not sent, as in forms and generated clients."""

from collections.abc import Mapping

from server.contract.wire import GenerateRequest, field_names

ZERO_MEANS_ABSENT = frozenset({"fps", "frame_rate", "duration"})
# Empty values that say something: no LoRA, all of a clip, the usual continuation, nothing to lead away from.
MEANINGFUL: Mapping[str, object] = {"loras": [], "retake": {}, "continue": {}, "negative_prompt": ""}
# Fields for which an empty object is an error, like any other object.
SCALARS = field_names(GenerateRequest) - {"keyframes", "input_image_b64"}


def is_absent(name: str, value: object) -> bool:
    """Return whether the field `name` counts as not sent. An empty prompt is kept: it has an error of its own."""
    if name == "prompt":
        return value is None
    if (name in SCALARS and value == {}) or is_meaningful(name, value):
        return False
    return is_empty(value) or (name in ZERO_MEANS_ABSENT and _is_zero(value))


def is_meaningful(name: str, value: object) -> bool:
    """Return whether it is an empty value that says something."""
    return name in MEANINGFUL and value == MEANINGFUL[name]


def is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)


def _is_zero(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return float(value) == 0
    except (ValueError, OverflowError):
        return False
