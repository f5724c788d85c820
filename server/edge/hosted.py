"""Answer with the statuses, bodies and headers of the hosted platform, for tests of its clients.

They are those of its published API and SDK. The platform sends only `detail`, no `Retry-After`, and clips in chunks.
"""

import json
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.api_keys import presented_keys
from server.process.run_values import RunValues

CHUTE_ID = "77711d2c-c0ec-5378-90a9-41823591058b"
NO_KEY = "Authentication required."
WRONG_KEY = "Invalid token or user not found"
NO_PATH = "No matching cord found!"
INVALID_JSON = "invalid request JSON payload: "
INVALID_FIELDS = "Invalid input parameters"
# For the other statuses that the platform has; the rest keep this server's words.
DETAILS = {
    429: "Infrastructure is at maximum capacity, try again later",
    500: "exhausted all available targets to no avail",
    503: f"No instances available (yet) for chute_id='{CHUTE_ID}'",
}
# The platform has no header of this kind in its errors.
OUR_HEADERS = ("retry-after", "www-authenticate", "allow", "preference-applied")


class HostedShapes:
    """Replace the bodies of errors, and add X-Chutes-InvocationID to other answers.

    A rehearsed error keeps its `Retry-After`, because the client asked for it.
    """

    def __init__(self, app: ASGIApp, run_values: RunValues | None = None) -> None:
        self._app, self._run_values = app, run_values or RunValues()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_shaped(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and _is_error(message):
                # Its Content-Length is known once its body is.
                held = message
            elif held is not None:
                start, body = _shape_error(scope, held, message)
                held = None
                await send(start)
                await send(body)
            else:
                await send(self._shape_success(scope, message))

        await self._app(scope, receive, send_shaped)

    def _shape_success(self, scope: Scope, message: Message) -> Message:
        if message["type"] != "http.response.start" or message["status"] >= 300:
            return message
        message = {**message, "headers": list(message.get("headers", []))}
        headers = MutableHeaders(raw=message["headers"])
        invocation_id = self._run_values.request_id(f"invocation {scope['method']} {scope['path']}")
        headers["X-Chutes-InvocationID"] = str(uuid.UUID(invocation_id))
        if headers.get("content-type", "").startswith(("video/", "image/")):
            del headers["content-length"]
        return message


def _is_error(start: Message) -> bool:
    is_json = Headers(raw=start.get("headers", [])).get("content-type", "").startswith("application/json")
    return is_json and start["status"] >= 400


def _shape_error(scope: Scope, start: Message, message: Message) -> tuple[Message, Message]:
    """Return the start and the first body message of the platform's answer. Our errors come in one message."""
    status, detail = hosted_error(scope, start["status"], json.loads(message["body"]))
    body = json.dumps({"detail": detail}).encode("ascii")
    start = {**start, "status": status, "headers": list(start["headers"])}
    headers = MutableHeaders(raw=start["headers"])
    for name in OUR_HEADERS:
        if name != "retry-after" or "rehearsed" not in scope["state"]:
            del headers[name]
    headers["content-length"] = str(len(body))
    return start, {**message, "body": body}


def hosted_error(scope: Scope, status: int, answer: dict[str, Any]) -> tuple[int, Any]:
    """Return the platform's status and detail for one of our errors."""
    detail = answer.get("detail")
    if status == 401:
        return 401, WRONG_KEY if any(presented_keys(Headers(scope=scope))) else NO_KEY
    if status == 405 or (status == 404 and "route" not in scope):
        return 404, NO_PATH
    if status == 415:
        return 400, f"{INVALID_JSON}{detail}"
    if status == 422:
        first = answer["detail"][0]
        return 400, f"{INVALID_JSON}{first['msg']}" if first["type"] == "json_invalid" else INVALID_FIELDS
    return status, DETAILS.get(status, detail)
