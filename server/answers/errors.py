"""Turn exceptions into answers. This is the only place that maps errors to status codes."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from enhancer.errors import EnhancerError
from server.answers.byte_ranges import RangeNotSatisfiable
from server.answers.clip import MODEL_ID
from server.contract.errors import RequestInvalid
from server.edge.error_body import FieldProblem, error_body
from server.edge.paths import route_path
from server.jobs.job import DeadlineExceeded, JobCancelled, NotReady, QueueFull, RenderFailed, RenderRefused
from server.requests.body import UnsupportedMediaType
from server.requests.context import context_of
from server.videos.errors import (
    DataDirError,
    IdempotencyError,
    PreviewNotFound,
    StoreError,
    VideoNotFinished,
    VideoNotFound,
)

log = logging.getLogger("ltx23.errors")

# nginx's "client closed request": no client reads it, but the access log shows it.
CLIENT_CLOSED_REQUEST = 499

# The shortest pause of the enhancer's circuit breaker.
RETRY_ENHANCER_S = 15

INTERNAL = "Internal server error; the server's log has the reason"
NOT_STORED = "the video cannot be stored; the server's log has the reason"


class AsciiJSONResponse(JSONResponse):
    """JSON with all non-ASCII characters escaped, so that prompts survive any client's encoding."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


class ModelNotFound(Exception):
    """The server has no model of that name."""

    code = "model_not_found"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"The model {model_id[:64]!r} does not exist; this server has one, {MODEL_ID}")


class Unsupported(Exception):
    """An endpoint that clients may call but that this server does not support."""

    code = "unsupported"


Detail = str | list[FieldProblem]


@dataclass(frozen=True)
class Answer:
    status: int
    detail: Callable[[Any], Detail] = str
    headers: Callable[[Any], Mapping[str, str]] = lambda exc: {}


def _problem(exc: RenderRefused | IdempotencyError, *loc: str) -> Detail:
    return [FieldProblem(loc=list(loc), msg=str(exc), type=exc.code)]


def _problems(errors: Iterable[Mapping[str, Any]]) -> Detail:
    """Return the problems without the values that were sent."""
    return [FieldProblem.model_validate(error) for error in errors]


def _retry_after(exc: QueueFull | NotReady) -> dict[str, str]:
    return {"Retry-After": str(exc.retry_after_s)}


ANSWERS: dict[type[Exception], Answer] = {
    RequestInvalid: Answer(422, lambda exc: _problems(exc.detail)),
    UnsupportedMediaType: Answer(415),
    RenderRefused: Answer(422, lambda exc: _problem(exc, "body")),
    QueueFull: Answer(429, headers=_retry_after),
    NotReady: Answer(503, headers=_retry_after),
    DeadlineExceeded: Answer(504),
    RenderFailed: Answer(500),
    EnhancerError: Answer(503, headers=lambda exc: {"Retry-After": str(RETRY_ENHANCER_S)}),
    Unsupported: Answer(400),
    ModelNotFound: Answer(404),
    VideoNotFound: Answer(404),
    PreviewNotFound: Answer(404),
    VideoNotFinished: Answer(409),
    RangeNotSatisfiable: Answer(416, headers=lambda exc: {"Content-Range": f"bytes */{exc.size_bytes}"}),
    IdempotencyError: Answer(422, lambda exc: _problem(exc, "header", "Idempotency-Key")),
    # The exception's message would reveal folders of this machine.
    StoreError: Answer(500, lambda exc: NOT_STORED),
    DataDirError: Answer(500, lambda exc: NOT_STORED),
    RequestValidationError: Answer(422, lambda exc: _problems(exc.errors())),
    JobCancelled: Answer(CLIENT_CLOSED_REQUEST),
    ClientDisconnect: Answer(CLIENT_CLOSED_REQUEST),
    # uvicorn logs any other exception and closes the connection, which the header announces.
    Exception: Answer(500, lambda exc: INTERNAL, headers=lambda exc: {"Connection": "close"}),
}


def install_error_answers(app: FastAPI) -> None:
    for exception, answer in ANSWERS.items():
        app.add_exception_handler(exception, _handler(answer))
    app.add_exception_handler(HTTPException, _http_exception)


def error_json(request: Request, exc: Exception) -> dict[str, Any]:
    """Return the body that this exception is answered with, and its status."""
    answer = next(ANSWERS[kind] for kind in type(exc).__mro__ if kind in ANSWERS)
    if answer.status == 500 and not hasattr(exc, "code"):
        log.error("a clip that is streamed failed", exc_info=exc)
    body = error_body(answer.status, answer.detail(exc), route_path(request.scope), getattr(exc, "code", None))
    return {"status": answer.status, **body}


def _handler(answer: Answer) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, exc: Exception) -> Response:
        headers = dict(answer.headers(exc))
        if answer.status == 422:
            headers |= context_of(request).preference_applied
        if isinstance(exc, StoreError | DataDirError):
            log.error("%s", exc)
        code = getattr(exc, "code", None)
        # An exception that is not ours may have a number there.
        code = code if isinstance(code, str) else None
        body = error_body(answer.status, answer.detail(exc), route_path(request.scope), code)
        return AsciiJSONResponse(body, answer.status, headers)

    return handle


def _http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    body = error_body(exc.status_code, str(exc.detail), route_path(request.scope))
    return AsciiJSONResponse(body, exc.status_code, exc.headers)
