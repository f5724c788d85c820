"""JSON schemas for OpenAPI, without `$ref`, which public clients that read `properties` do not follow.

A default of null is left out: it only says that the field is optional, and generated clients would send it.
"""

from typing import Any

from pydantic import BaseModel

from server.contract.enhance import EnhancePromptRequest
from server.contract.wire import GenerateRequest


def request_schema() -> dict[str, Any]:
    """Return the schema of POST /generate."""
    return inlined_schema(GenerateRequest)


def enhance_schema() -> dict[str, Any]:
    """Return the schema of POST /enhance."""
    return inlined_schema(EnhancePromptRequest)


def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
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
