"""Describe errors and request headers in /openapi.json."""

from typing import Any

from server.edge.error_body import MODELS, ErrorAnswer

RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
ANSWERS: dict[int, dict[str, Any]] = {
    400: {"description": "Not supported, or not readable as HTTP"},
    401: {"description": "The API key is missing or wrong"},
    404: {"description": "It does not exist, or no longer"},
    408: {"description": "The request came too slowly"},
    409: {"description": "The video is not finished, or has failed"},
    413: {"description": "The body is too large"},
    415: {"description": "The body is neither JSON nor a form"},
    416: {"description": "The range is outside the file"},
    422: {"description": "Fields of the request cannot be used"},
    429: {"description": "The queue is full", "headers": RETRY_AFTER},
    500: {"description": "The server failed; its log has the reason"},
    503: {"description": "The server cannot do it now", "headers": RETRY_AFTER},
    504: {"description": "The render took longer than the server allows"},
}
READ = (401, 422, 500)
# Errors of a route that takes a body with a prompt.
RENDER = (401, 408, 413, 415, 422, 429, 500, 503)
# Optional headers of a route that takes a body with a prompt.
RENDER_HEADERS = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The client's name for this request, such as a UUID: sent again, it finds the same video.",
        "schema": {"type": "string", "maxLength": 255},
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`handling=strict` refuses what would be adjusted.",
        "schema": {"type": "string"},
    },
]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route, for its `responses`."""
    return {status: {"model": MODELS.get(status, ErrorAnswer)} | ANSWERS[status] for status in sorted(statuses)}
