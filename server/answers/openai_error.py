"""Add errors in OpenAI's shape, beside `detail`, on the paths of OpenAI's API."""

from collections.abc import Mapping
from typing import Any

PREFIX = "/v1/"
TYPES = {401: "authentication_error", 429: "rate_limit_error"}
CODES = {401: "invalid_api_key", 404: "not_found", 413: "body_too_large"}


def with_openai_error(path: str, status: int, body: Mapping[str, Any], code: str | None = None) -> dict[str, Any]:
    """Return `body`, with an `error` object if `path` is one of OpenAI's. The error determines a `code` of None."""
    if not path.startswith(PREFIX):
        return dict(body)
    detail = body["detail"]
    first = detail[0] if isinstance(detail, list) and detail else {}
    param = ".".join(str(part) for part in first.get("loc", ())[1:])
    message = first.get("msg") or str(detail)
    return {
        **body,
        "error": {
            "message": f"{param}: {message}" if param else message,
            "type": TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            "param": param or None,
            "code": code or first.get("type") or CODES.get(status),
        },
    }
