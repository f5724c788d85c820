"""Pass each request on to an endpoint, and its answer back, piece by piece."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import httpx2
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from server.edge.connection import cut
from server.edge.refusal import RawHeaders, Refusal
from server.recordings.client import Client
from server.recordings.exchange import End
from server.recordings.redaction import message_headers
from server.recordings.upstream import Upstream

NO_CONNECTION = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)


class Tap:
    """Sees an exchange pass. This one ignores it."""

    def request_chunk(self, data: bytes) -> None: ...

    def answer_head(self, status: int, headers: RawHeaders) -> None: ...

    def answer_chunk(self, data: bytes) -> None: ...

    async def end(self, end: End, *, is_request_complete: bool) -> None:
        """Called before the client gets the last byte. Not called if the client leaves before."""

    def close(self) -> None:
        """Called at the end in any case."""


class Forwarder:
    """An ASGI application. If the client leaves, the request to the endpoint is cancelled.

    new_tap: returns what sees an exchange pass.
    """

    def __init__(self, upstream: Upstream, new_tap: Callable[[Scope], Tap] = lambda scope: Tap()) -> None:
        self._upstream, self._new_tap = upstream, new_tap

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tap = self._new_tap(scope)
        client = Client(scope, receive, tap.request_chunk)
        exchange = asyncio.create_task(_Exchange(self._upstream, scope, client, receive, send, tap).run())
        leaving = asyncio.create_task(client.left())
        try:
            await asyncio.wait({exchange, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (exchange, leaving):
                task.cancel()
            await asyncio.wait({exchange, leaving})
            tap.close()
        if not exchange.cancelled() and not isinstance(exchange.exception(), ClientDisconnect):
            exchange.result()


class _Exchange:
    def __init__(
        self, upstream: Upstream, scope: Scope, client: Client, receive: Receive, send: Send, tap: Tap
    ) -> None:
        self._upstream, self._scope, self._client = upstream, scope, client
        self._receive, self._send, self._tap = receive, send, tap
        self._has_ended = False

    async def run(self) -> None:
        try:
            answer = await self._upstream.open(self._scope, self._client.body() if self._client.has_body else None)
        except NO_CONNECTION as exc:
            refusal = Refusal(502, f"{self._upstream} cannot be reached: {exc}")
            await refusal(self._scope, self._receive, self._send)
        except httpx2.TransportError:
            await self._cut()
        else:
            async with aclosing(answer):
                await self._relay(answer)

    async def _relay(self, answer: httpx2.Response) -> None:
        headers = message_headers(answer.headers.raw)
        self._tap.answer_head(answer.status_code, tuple(headers))
        # A client knows the end of an answer by its size, so the exchange has to end before the last byte is sent.
        left_bytes = _body_bytes(self._scope, answer)
        if left_bytes == 0:
            await self._end("complete")
        await self._send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        try:
            async for chunk in answer.aiter_raw():
                self._tap.answer_chunk(chunk)
                if left_bytes is not None:
                    left_bytes -= len(chunk)
                    if left_bytes == 0:
                        await self._end("complete")
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx2.TransportError:
            await self._cut()
            return
        await self._end("complete")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cut(self) -> None:
        await self._end("cut")
        cut(self._scope)

    async def _end(self, end: End) -> None:
        if not self._has_ended:
            self._has_ended = True
            await self._tap.end(end, is_request_complete=self._client.has_sent_all)


def _body_bytes(scope: Scope, answer: httpx2.Response) -> int | None:
    """Return the size of the answer's body, or None if only its end tells."""
    if scope["method"] == "HEAD" or answer.status_code in (204, 304):
        return 0
    declared = answer.headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdecimal() else None
