"""Unwrap a request that is nested in another object, as clients of other services send it: `{"input": {...}}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.contract.adjustments import Adjustment
from server.contract.errors import Loc, RequestInvalid, dotted
from server.contract.names.aliases import ALIASES, SIZE_NAMES
from server.contract.names.pictures import is_first_frame, is_last_frame
from server.contract.wire import GenerateRequest, field_names

ENVELOPES = frozenset({"input", "input_args", "args", "data", "parameters"})
MAX_DEPTH = 2

REASON = "the fields of a request belong at the top level of the body; they were taken out of here"

# An object beside one of these fields, which include OpenAI's names, is not an envelope.
FIELDS = field_names(GenerateRequest) | ALIASES.keys() | set(SIZE_NAMES) | {"images", "seconds", "size"}


@dataclass(frozen=True)
class Unwrapped:
    """The fields of a request, wherever they stood in the body.

    path: the innermost envelope's, () without one. paths: the envelope's path for each field that stood in one.
    """

    fields: dict[str, Any]
    path: Loc = ()
    paths: Mapping[str, Loc] = field(default_factory=dict)
    adjustments: tuple[Adjustment, ...] = ()

    def as_sent(self, loc: Loc) -> Loc:
        """Translate a path into `fields` to a path into the body."""
        return (self.paths.get(str(loc[0]), self.path) if loc else self.path) + loc


def unwrap(raw: Mapping[str, Any], *, strict: bool = False) -> Unwrapped:
    """Take the fields out of their envelopes, unless other fields stand beside the envelopes.

    Anything else in the body, such as an `id` or a `webhook`, is kept as unknown fields. Raises RequestInvalid if
    strict and there is an envelope.
    """
    unwrapped = Unwrapped({name: value for name, value in raw.items() if value is not None})
    for _ in range(MAX_DEPTH):
        unwrapped = _unwrap_once(unwrapped)
    if strict and unwrapped.adjustments:
        raise RequestInvalid([unwrapped.adjustments[0].refusal(unwrapped.path[:1])])
    return unwrapped


def _unwrap_once(outer: Unwrapped) -> Unwrapped:
    fields, paths, path = dict(outer.fields), dict(outer.paths), outer.path
    envelopes = {name: inside for name in fields if name in ENVELOPES and (inside := _inside(fields[name]))}
    if not envelopes or any(map(_is_field, fields)):
        return outer
    adjustments = list(outer.adjustments)
    for name, (inner_loc, inner) in envelopes.items():
        sent = fields.pop(name)
        path = (*paths.pop(name, ()), name, *inner_loc)
        if inner.keys() & fields.keys():
            return outer
        fields |= inner
        paths |= dict.fromkeys(inner, path)
        field_path = tuple(part for part in path if isinstance(part, str))
        adjustments.append(Adjustment(dotted(field_path), sent, None, REASON))
    return Unwrapped(fields, path, paths, tuple(adjustments))


def _inside(value: Any) -> tuple[Loc, Mapping[str, Any]] | None:
    """Return the object in an envelope and its path there, () or (0,) in a list of one; None if there is none."""
    loc: Loc = ()
    if isinstance(value, list) and len(value) == 1:
        loc, value = (0,), value[0]
    return (loc, value) if isinstance(value, dict) and value else None


def _is_field(name: str) -> bool:
    return name in FIELDS or is_first_frame(name) or is_last_frame(name)
