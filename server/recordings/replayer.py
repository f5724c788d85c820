"""Answer from a recording, byte for byte."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.connection import cut
from server.edge.refusal import Refusal
from server.recordings.exchange import RecordedAnswer, StoredBody
from server.recordings.folder import read_exchanges
from server.recordings.matching import Recordings
from server.recordings.request import describe_request
from server.recordings.spool import Spool

CHUNK_BYTES = 256 * 1024

# Tells a program that the answer does not come from the recording.
MISS = (b"x-ltx-replay", b"miss")


class Replayer:
    """An ASGI application. Raises RecordingError if the recording in `root` cannot be read.

    on_miss: the application that answers what is not recorded; without it, the answer is a 404 that says in what the
    request differs from the nearest recording. A 404 because clients do not send a request again after that.
    """

    def __init__(self, root: Path, on_miss: ASGIApp | None = None) -> None:
        self._root, self._on_miss = root, on_miss
        self._recordings = Recordings(read_exchanges(root))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Spool()
        try:
            async for chunk in Request(scope, receive).stream():
                body.write(chunk)
            request = await asyncio.to_thread(describe_request, scope, body)
            exchange = self._recordings.next(request)
            if exchange is not None:
                await self._replay(exchange.answer, scope, send)
            elif self._on_miss is not None:
                await self._on_miss(scope, _again(body, receive), send)
            else:
                await Refusal(404, self._recordings.explain_miss(request), (MISS,))(scope, _again(body, receive), send)
        except ClientDisconnect:
            return
        finally:
            body.close()

    async def _replay(self, answer: RecordedAnswer, scope: Scope, send: Send) -> None:
        if answer.status is not None:
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            if answer.body is not None:
                async for chunk in _read(self._root, answer.body):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if answer.end == "cut":
            cut(scope)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read(root: Path, body: StoredBody) -> AsyncIterator[bytes]:
    with (root / body.file).open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def _again(body: Spool, receive: Receive) -> Receive:
    """Return a `receive` that yields the body that has been read, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body.read(), "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
