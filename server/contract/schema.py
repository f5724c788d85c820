"""JSON schemas for OpenAPI, without `$ref`, which public clients that read `properties` do not follow.

A default of null is left out: it only says that the field is optional, and generated clients would send it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from server.contract.count import MAX_CLIPS
from server.contract.enhance import EnhancePromptRequest
from server.contract.wire import GenerateRequest

# Fields of POST /generate that have no meaning for POST /v1/videos.
_NOT_OF_VIDEOS = frozenset({"return_json", "stream"})

_OPENAI_PROPERTIES: dict[str, Any] = {
    "n": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_CLIPS,
        "description": "How many videos to make, with consecutive seeds; 1 if omitted. The answer is the first one, "
        "whose `batch` has the ids of all.",
    },
    "model": {"type": "string", "description": "Accepted; this server has one model, LTX-23-Video."},
    "seconds": {
        "anyOf": [{"type": "string"}, {"type": "number"}],
        "description": "OpenAI's name for `duration`; a string.",
    },
    "size": {
        "type": "string",
        "description": "WIDTHxHEIGHT in pixels, such as 1280x720; or 480p, 720p, 1080p, 1440p, 4k, 16:9, auto.",
    },
    "aspect_ratio": {"type": "string", "description": "The shape of a named size, such as 16:9 or 9:16."},
    "input_reference": {
        "anyOf": [{"type": "string"}, {"type": "object", "properties": {"image_url": {"type": "string"}}}],
        "description": "The first frame: a file in a form, base64, a data URL, or an object with that as image_url.",
    },
}


def request_schema() -> dict[str, Any]:
    """Return the schema of POST /generate."""
    return _inlined_schema(GenerateRequest)


def enhance_schema() -> dict[str, Any]:
    """Return the schema of POST /enhance."""
    return _inlined_schema(EnhancePromptRequest)


def video_schema() -> dict[str, Any]:
    """Describe the JSON body of POST /v1/videos.

    It has no defaults, because generated clients would send them, and a width that is sent wins over `size`.
    """
    schema = request_schema()
    own = {name: _without_default(field) for name, field in schema["properties"].items() if name not in _NOT_OF_VIDEOS}
    return {
        "title": "VideoRequest",
        "description": "A clip to render: OpenAI's names, or the fields of POST /generate, which win.",
        "type": "object",
        "properties": _OPENAI_PROPERTIES | own,
        "required": schema["required"],
    }


def remix_schema() -> dict[str, Any]:
    """Describe the body of POST /v1/videos/{id}/remix, which takes the other fields of a request too."""
    properties = request_schema()["properties"]
    own = {name: _without_default(properties[name]) for name in ("prompt", "seed")}
    return {"title": "RemixRequest", "type": "object", "properties": own, "required": ["prompt"]}


def video_form_schema() -> dict[str, Any]:
    """Describe the form of POST /v1/videos, which takes the first frame, the sound and a clip as files."""
    schema = video_schema()
    others = {name: schema["properties"][name]["description"] for name in ("audio_b64", "video_b64")}
    descriptions = {"input_reference": "The first frame."} | others
    files = {name: {"type": "string", "format": "binary", "description": text} for name, text in descriptions.items()}
    properties = schema["properties"] | files
    del properties["keyframes"], properties["input_image_b64"]
    return schema | {"title": "VideoForm", "properties": properties}


def _without_default(field: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in field.items() if name != "default"}


def _inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a body with every definition inlined."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    inlined: dict[str, Any] = _inline(schema, definitions)
    return inlined


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        siblings = {key: value for key, value in node.items() if key != "$ref"}
        return _inline(definitions[node["$ref"].rpartition("/")[2]] | siblings, definitions)
    return {key: _inline(value, definitions) for key, value in node.items() if (key, value) != ("default", None)}
