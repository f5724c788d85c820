"""The exceptions of this client. All of them are LTX23Error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ltx23_client.names import OUR_NAMES

if TYPE_CHECKING:
    from ltx23_client.actions import Response
    from ltx23_client.answers import Video


class LTX23Error(Exception):
    """The base of everything that this client raises on purpose."""


class InputError(LTX23Error, ValueError):
    """A value or a file that cannot be sent. Nothing was sent."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class ConnectionFailed(LTX23Error):
    """The server could not be reached, or the connection ended before the answer did.

    is_unreached: no connection was made at all.
    """

    def __init__(self, message: str, *, is_unreached: bool = False) -> None:
        super().__init__(message)
        self.is_unreached = is_unreached


class AnswerError(LTX23Error):
    """The answer is not one of an LTX-2.3 server: perhaps that of a proxy, or the address is wrong."""


class WaitTimeout(LTX23Error, TimeoutError):
    """The clip was not ready within `timeout_s`. It was cancelled."""


class RenderFailed(LTX23Error):
    """The server could not render the clip. `video.error` has the code and the message."""

    def __init__(self, video: Video) -> None:
        super().__init__(video.error.message if video.error else "the render failed")
        self.video = video


class RenderCancelled(LTX23Error):
    """The video was deleted before it was finished."""


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with a field, and what would be right. path: such as `("keyframes", 1, "image")`."""

    path: tuple[str | int, ...]
    message: str
    type: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.message}" if self.path else self.message


class APIError(LTX23Error):
    """The server answered with an error.

    message: what the server says. fields: the problems field by field, for an InvalidRequest. code: OpenAI's name of
    the error. retry_after_s: when to try again, if the server says so. request_id: for the server's log.
    """

    ADVICE: ClassVar[str] = ""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        fields: Sequence[FieldProblem] = (),
        code: str | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        text = "; ".join(map(str, fields)) or message
        super().__init__(f"{text} ({status}){self.ADVICE}")
        self.status = status
        self.message = message
        self.fields = tuple(fields)
        self.code = code
        self.retry_after_s = retry_after_s
        self.request_id = request_id


class Unauthorized(APIError):
    """The key is missing or wrong (401)."""

    ADVICE = ": pass api_key, or set LTX23_API_KEY"


class NotFound(APIError):
    """There is no such video, or no longer (404)."""


class NotFinished(APIError):
    """The video has no file, yet or at all (409)."""


class BodyTooLarge(APIError):
    """The images, sounds and clips of the request are too large together (413)."""


class InvalidRequest(APIError):
    """Fields of the request cannot be used (422); `fields` says which, and what would be right."""


class QueueFull(APIError):
    """The queue had no room for longer than `retry_s` (429)."""


class ServerFailed(APIError):
    """The server failed (500); its log has the reason."""


class Unavailable(APIError):
    """The model is loading or the server is stopping, for longer than `retry_s` (503)."""


CLASSES: dict[int, type[APIError]] = {
    401: Unauthorized,
    404: NotFound,
    409: NotFinished,
    413: BodyTooLarge,
    422: InvalidRequest,
    429: QueueFull,
    500: ServerFailed,
    503: Unavailable,
}


def api_error(response: Response) -> APIError:
    body = _body(response)
    detail = body.get("detail")
    fields = [_problem(item) for item in detail] if isinstance(detail, list) else []
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    message = detail if isinstance(detail, str) else "; ".join(map(str, fields))
    kind = response.headers.get("content-type", "no type")
    return CLASSES.get(response.status, APIError)(
        response.status,
        message or f"the server answered {response.status} with {kind}, not with an error of its own",
        fields=fields,
        code=code,
        retry_after_s=_seconds(response.headers.get("retry-after")),
        request_id=response.headers.get("x-request-id"),
    )


def _body(response: Response) -> Mapping[str, Any]:
    try:
        body = json.loads(response.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _problem(item: Mapping[str, Any]) -> FieldProblem:
    path = tuple(OUR_NAMES.get(part, part) for part in item["loc"])
    return FieldProblem(path[1:] if path[:1] == ("body",) else path, item["msg"], item["type"])


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else max(0.0, float(header))
    except ValueError:
        return None
