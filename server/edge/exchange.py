"""A request and its answer, told to whoever counts or records them. Knows no rendering, and keeps no body."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.paths import route_path

# For a request whose path leads nowhere.
NO_ROUTE = "none"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "OTHER"


@dataclass(frozen=True)
class Exchange:
    """What may be shown of it: nothing here is a client's own words, but for what the routes have put into `state`.

    route: its template, as in `/videos/{id}`, or NO_ROUTE. body_bytes: of the answer, as far as it was sent.
    began_at: by time.monotonic(). state: of the request, with `request_id` and `key_id`.
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


class Exchanges:
    """Tells each listener of every request, once its answer is over.

    paths: those that a request is named by even where it was refused before it came to its route.
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
    """status: what a server answers where the application does not."""

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
