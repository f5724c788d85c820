"""One id for a request, in its answer and in the logs."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.process.run_values import RunValues

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """Set the id in the answer (`X-Request-ID`) and in `state["request_id"]`: the client's own id if it is safe."""

    def __init__(self, app: ASGIApp, run_values: RunValues | None = None) -> None:
        self._app, self._run_values = app, run_values or RunValues()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._resolve(scope)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        await self._app(scope, receive, send_named)

    def _resolve(self, scope: Scope) -> str:
        requested = Headers(scope=scope).get("x-request-id", "")
        if _ACCEPTED.fullmatch(requested):
            return requested
        return self._run_values.request_id(f"{scope['method']} {scope['path']}")
