"""The bodies of errors, with an `error` object on the paths of OpenAI's API."""

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
