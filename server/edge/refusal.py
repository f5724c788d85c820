"""Answer without reading the body of a request, and without resetting a client that is still sending it.

If a socket is closed while it holds unread bytes, the kernel sends a reset, which many clients report instead of the
answer. So the whole answer is sent at once, and the connection stays open and discards what still arrives (RFC 9112,
9.6).
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from server.edge.error_body import error_body
from server.edge.paths import route_path

# For a 503 while requests or connections take all the room there is: they come and go.
RETRY_AFTER_S = 5

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Linger:
    """Limits on what a refused client may still send before its connection is closed."""

    max_bytes: int = 1 << 30
    total_s: float = 60.0
    # The same as nginx's lingering_timeout.
    idle_s: float = 5.0
    # A client that sent `Expect: 100-continue` may send nothing; what it sent without waiting arrives soon.
    expect_s: float = 1.0


DEFAULT_LINGER = Linger()


@dataclass(frozen=True)
class Refusal:
    """An ASGI application that answers every request with `{"detail": ...}`."""

    status: int
    detail: str
    headers: RawHeaders = ()
    linger: Linger = DEFAULT_LINGER

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_headers = Headers(scope=scope)
        expects_body = has_body(request_headers)
        body = json.dumps(error_body(self.status, self.detail, route_path(scope))).encode("ascii")
        await send(self._start(len(body), closes=expects_body))
        await send({"type": "http.response.body", "body": body, "more_body": expects_body})
        if expects_body:
            await _discard(receive, self.linger, expects_continue=_expects_continue(request_headers))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _start(self, size_bytes: int, *, closes: bool) -> Message:
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(size_bytes).encode("ascii")),
            *self.headers,
        ]
        if closes:
            headers.append((b"connection", b"close"))
        return {"type": "http.response.start", "status": self.status, "headers": headers}


async def _discard(receive: Receive, linger: Linger, *, expects_continue: bool) -> None:
    # The answer has been sent, so nothing is reported when a limit is reached.
    with suppress(TimeoutError):
        async with asyncio.timeout(linger.total_s):
            wait_s = linger.expect_s if expects_continue else linger.idle_s
            size_bytes = 0
            while size_bytes <= linger.max_bytes:
                async with asyncio.timeout(wait_s):
                    message = await receive()
                if not message.get("more_body", False):
                    return
                size_bytes += len(message.get("body", b""))
                wait_s = linger.idle_s


def has_body(headers: Headers) -> bool:
    """Return whether a request with these headers has a body."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _expects_continue(headers: Headers) -> bool:
    return "100-continue" in headers.get("expect", "").lower()
