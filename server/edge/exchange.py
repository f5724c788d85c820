"""Report every request and its answer to listeners that count or record them. Bodies are not kept."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.paths import route_path

# The route of a request whose path matches no route.
NO_ROUTE = "none"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "OTHER"


@dataclass(frozen=True)
class Exchange:
    """The part of a request that may be logged. Only `state` may hold a client's own words, put there by the routes.

    route: the template, such as `/videos/{id}`, or NO_ROUTE.
    body_bytes: the part of the answer's body that was sent.
    began_at: a time from time.monotonic().
    state: the request's state, with `request_id` and `key_id`.
    """

    method: str
    route: str
    status: int
    body_bytes: int
    began_at: float
    seconds: float
    traceparent: str | None
    state: Mapping[str, Any] = field(repr=False)


OnExchange = Callable[[Exchange], None]


class ExchangeReporter:
    """Report each request to every listener once its answer is finished.

    paths: paths that are reported as the route even if the request was refused before routing.
    """

    def __init__(self, app: ASGIApp, listeners: Sequence[OnExchange], paths: Collection[str] = ()) -> None:
        self._app, self._listeners, self._paths = app, tuple(listeners), frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _WatchedAnswer(send)
        began_at = time.monotonic()
        try:
            await self._app(scope, receive, answer.send)
        finally:
            exchange = _exchange(scope, self._route(scope), answer, began_at)
            for listener in self._listeners:
                listener(exchange)

    def _route(self, scope: Scope) -> str:
        if "route" in scope:
            template: str = scope["route"].path
            return template
        path = route_path(scope)
        return path if path in self._paths else NO_ROUTE


class _WatchedAnswer:
    """The answer as it is sent. `status` starts at 500, which the server sends if the application sends nothing."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status, self.body_bytes = 500, 0

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body_bytes += len(message.get("body", b""))


def _exchange(scope: Scope, route: str, answer: _WatchedAnswer, began_at: float) -> Exchange:
    method = scope["method"]
    return Exchange(
        method=method if method in METHODS else OTHER_METHOD,
        route=route,
        status=answer.status,
        body_bytes=answer.body_bytes,
        began_at=began_at,
        seconds=time.monotonic() - began_at,
        traceparent=Headers(scope=scope).get("traceparent"),
        state=scope.get("state", {}),
    )
