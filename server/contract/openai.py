"""POST /v1/videos: OpenAI's names for a request, as the documented ones of POST /generate. Knows no HTTP."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.schema import request_schema

SECONDS = re.compile(r"\s*[0-9]{1,6}(\.[0-9]{1,9})?\s*")
SIZE = re.compile(r"\s*[0-9]{1,9}\s*[xX]\s*[0-9]{1,9}\s*")
# OpenAI's name -> ours. The documented name wins when both are there.
NAMES = {"seconds": "duration", "size": "resolution", "input_reference": "input_image_b64"}

# Fields of POST /generate that mean nothing here.
UNUSED = frozenset({"return_json"})

PROPERTIES: dict[str, Any] = {
    "model": {"type": "string", "description": "Accepted; this server has one model, LTX-23-Video."},
    "seconds": {
        "anyOf": [{"type": "string"}, {"type": "number"}],
        "description": "OpenAI's name for `duration`; a string.",
    },
    "size": {"type": "string", "description": "WIDTHxHEIGHT in pixels, such as 1280x720."},
    "input_reference": {
        "anyOf": [{"type": "string"}, {"type": "object", "properties": {"image_url": {"type": "string"}}}],
        "description": "The first frame: a file in a form, base64, a data URL, or an object with that as image_url.",
    },
}


@dataclass(frozen=True)
class OpenAIRequest:
    """A body under our names. model: as it was sent. names: ours -> the one that was sent."""

    values: dict[str, Any]
    model: Any
    names: Mapping[str, str]

    def as_sent(self, error: RequestInvalid) -> RequestInvalid:
        """The same about the names that were sent."""
        return RequestInvalid([FieldError(self._loc(e.loc), e.msg, e.type) for e in error.errors])

    def _loc(self, loc: Loc) -> Loc:
        return (self.names.get(str(loc[0]), loc[0]), *loc[1:]) if loc else loc


def read_openai_names(raw: Mapping[str, Any]) -> OpenAIRequest:
    """Raises RequestInvalid when one of OpenAI's fields is not what it should be."""
    values = {name: value for name, value in raw.items() if name not in PROPERTIES}
    names: dict[str, str] = {}
    for name, ours in NAMES.items():
        sent = raw.get(name)
        if sent is not None and values.get(ours) is None:
            values[ours], names[ours] = READERS[name](sent), name
    model = raw.get("model")
    if model is not None and not isinstance(model, str):
        raise RequestInvalid.at(("model",), "Input should be a string", "string_type")
    return OpenAIRequest(values, model, names)


def video_schema() -> dict[str, Any]:
    """Describe the JSON body of POST /v1/videos.

    Without defaults: generated clients send those, and a width that was sent wins over `size`.
    """
    schema = request_schema()
    own = {name: _without_default(field) for name, field in schema["properties"].items() if name not in UNUSED}
    return {
        "title": "VideoRequest",
        "description": "A clip to render: OpenAI's names, or the fields of POST /generate, which win.",
        "type": "object",
        "properties": PROPERTIES | own,
        "required": schema["required"],
    }


def video_form_schema() -> dict[str, Any]:
    """Describe the form of POST /v1/videos, which takes the first frame as a file."""
    schema = video_schema()
    file = {"type": "string", "format": "binary", "description": "The first frame."}
    properties = schema["properties"] | {"input_reference": file}
    del properties["keyframes"], properties["input_image_b64"]
    return schema | {"title": "VideoForm", "properties": properties}


def _without_default(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "default"}


def _seconds(sent: Any) -> Any:
    if not isinstance(sent, str):
        return sent
    if not SECONDS.fullmatch(sent):
        raise RequestInvalid.at(("seconds",), 'Input should be seconds such as "4" or "8.5"', "seconds_invalid")
    return float(sent)


def _size(sent: Any) -> Any:
    if not isinstance(sent, str) or not SIZE.fullmatch(sent):
        raise RequestInvalid.at(("size",), 'Input should be a size such as "1280x720"', "size_invalid")
    return sent


def _input_reference(sent: Any) -> Any:
    image = sent.get("image_url") if isinstance(sent, dict) else sent
    if not isinstance(image, str) or image.lstrip()[:4].lower() == "http":
        msg = "Input should be the image itself: a file, or a data URL as image_url; this server fetches nothing"
        raise RequestInvalid.at(("input_reference",), msg, "input_reference_invalid")
    return image


READERS: dict[str, Callable[[Any], Any]] = {
    "seconds": _seconds,
    "size": _size,
    "input_reference": _input_reference,
}
