"""The bodies of errors, and their description and that of request headers in /openapi.json."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field


class OpenAIError(BaseModel):
    """An error in the shape that OpenAI's clients read."""

    message: str
    type: str
    param: str | None = Field(description="The field, as it was sent.")
    code: str | None = Field(description="The error's name for programs.")


class FieldProblem(BaseModel):
    """One problem with a request."""

    loc: list[str | int] = Field(description='Where it is: `["body", "keyframes", 1, "image_b64"]`.')
    msg: str
    type: str


class ErrorAnswer(BaseModel):
    """An error. `error` is present on paths that begin with /v1/."""

    detail: str
    error: OpenAIError | None = None


class RateLimitAnswer(BaseModel):
    """The queue is full. `error` is an object on paths that begin with /v1/."""

    error: str | OpenAIError
    detail: str


class InvalidAnswer(BaseModel):
    """The problems with a request, field by field. `error` is present on paths that begin with /v1/."""

    detail: list[FieldProblem]
    error: OpenAIError | None = None


# Begins the paths of OpenAI's API.
OPENAI_PREFIX = "/v1/"
OPENAI_TYPES = {401: "authentication_error", 429: "rate_limit_error"}
OPENAI_CODES = {401: "invalid_api_key", 404: "not_found", 413: "body_too_large"}
RATE_LIMIT = "RateLimitExceeded"

# The models of the bodies, by status, where they are not an ErrorAnswer.
MODELS: dict[int, type[BaseModel]] = {422: InvalidAnswer, 429: RateLimitAnswer}
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


def error_body(
    status: int, detail: str | Sequence[FieldProblem], path: str = "", code: str | None = None
) -> dict[str, Any]:
    """Return the body of an error. detail: a sentence, or the problems of a 422.

    path: of the request; decides whether `error` is present. code: of `error`; if None, the first problem or the status
    determines it.
    """
    fields: dict[str, Any] = {"detail": detail}
    if path.startswith(OPENAI_PREFIX):
        fields["error"] = _openai_error(status, detail, code)
    elif status == 429:
        fields["error"] = RATE_LIMIT
    return MODELS.get(status, ErrorAnswer)(**fields).model_dump(exclude_unset=True)


def _openai_error(status: int, detail: str | Sequence[FieldProblem], code: str | None) -> OpenAIError:
    if isinstance(detail, str):
        message, param = detail, ""
    else:
        first = detail[0]
        param = ".".join(map(str, first.loc[1:]))
        message = f"{param}: {first.msg}" if param else first.msg
        code = code or first.type
    kind = OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return OpenAIError(message=message, type=kind, param=param or None, code=code or OPENAI_CODES.get(status))
