"""A request with documented names that remembers the names that were sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.limits import MAX_KEYFRAMES
from server.contract.wire import (
    ContinueRequest,
    GenerateRequest,
    KeyframeRequest,
    LoraRequest,
    RetakeRequest,
    field_names,
)

Model = TypeVar("Model", bound=BaseModel)

# The fields that are lists of objects.
OBJECTS: Mapping[str, type[BaseModel]] = {"retake": RetakeRequest, "continue": ContinueRequest}
LISTS: Mapping[str, type[BaseModel]] = {"keyframes": KeyframeRequest, "loras": LoraRequest}

# Replaces pydantic's own messages that would name our classes.
MESSAGES = {"model_type": "Input should be an object"}
NESTED = "Field required: the fields of a request belong at the top level of the body, not inside another object"


@dataclass(frozen=True)
class Overridden:
    """A name that is ignored because another name was sent for the same field.

    path: the documented field's. loc: the path of the ignored value in the body.
    """

    path: Loc
    loc: Loc
    value: object


@dataclass
class SentRequest:
    """A body whose names become documented ones. Values that mean "absent" are removed; unknown fields are kept.

    names: documented path -> path that was sent, where they differ.
    single_image: `keyframes` holds the only entry of an `images`, to be shown at frame 0.
    """

    values: dict[str, Any]
    names: dict[Loc, Loc] = field(default_factory=dict)
    overridden: list[Overridden] = field(default_factory=list)
    single_image: bool = False

    def offer(self, field: str, loc: Loc, value: object) -> None:
        """Take `value`, sent at `loc`, for `field`, unless another name has already set it."""
        if field in self.values:
            self.override((field,), loc, value)
        else:
            self.values[field] = value
            self.names[field,] = loc

    def override(self, path: Loc, loc: Loc, value: object) -> None:
        """Note that `value`, sent at `loc`, is ignored because of what another name set at `path`."""
        self.overridden.append(Overridden(path, loc, value))

    def value_at(self, path: Loc) -> Any:
        """Return what was sent for a documented path, or None."""
        value: Any = self.values
        for part in path:
            if isinstance(value, dict) and part not in value:
                return None
            value = value[part]
        return value

    def as_sent(self, loc: Loc) -> Loc:
        """Translate a documented path to the path that was sent."""
        prefixes = (loc[:end] for end in range(len(loc), 0, -1))
        known = next((prefix for prefix in prefixes if prefix in self.names), ())
        return self.names.get(known, ()) + loc[len(known) :]

    def unknown_fields(self) -> Iterator[tuple[Loc, Any]]:
        """Yield the path and value of each field that this endpoint does not have."""
        for name, value in self.values.items():
            if name not in field_names(GenerateRequest):
                yield (name,), value
        for parent, model in OBJECTS.items():
            entry = self.values.get(parent)
            for name, value in entry.items() if isinstance(entry, dict) else ():
                if name not in field_names(model):
                    yield (parent, name), value
        for field_name, model in LISTS.items():
            for i, entry in enumerate(self._entries(field_name)):
                for name, value in entry.items():
                    if name not in field_names(model):
                        yield (field_name, i, name), value

    def _entries(self, field_name: str) -> list[Any]:
        """Return the entries of a list, with {} for each that is not an object; [] if it is no list or too long."""
        entries = self.values.get(field_name)
        if not isinstance(entries, list) or len(entries) > MAX_KEYFRAMES:
            return []
        return [entry if isinstance(entry, dict) else {} for entry in entries]

    def read_as(self, model: type[Model]) -> Model:
        """Validate the values as `model`. Raises RequestInvalid with the names that were sent."""
        try:
            return model.model_validate(self.values)
        except ValidationError as exc:
            errors = exc.errors(include_url=False, include_context=False, include_input=False)
            raise RequestInvalid(
                [FieldError(self.as_sent(e["loc"]), self._message(e["type"], e["msg"]), e["type"]) for e in errors]
            ) from exc

    def _message(self, error_type: str, msg: str) -> str:
        if error_type == "missing" and any(isinstance(v, dict) and "prompt" in v for v in self.values.values()):
            return NESTED
        return MESSAGES.get(error_type, msg)
