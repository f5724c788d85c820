"""The client of an exchange that is passed on: its body, and whether it is still there."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from server.edge.refusal import has_body


class Client:
    """on_chunk: called with each piece of the body as it arrives."""

    def __init__(self, scope: Scope, receive: Receive, on_chunk: Callable[[bytes], None]) -> None:
        self._receive, self._on_chunk = receive, on_chunk
        self.has_body = has_body(Headers(scope=scope))
        self._has_sent = asyncio.Event()
        if not self.has_body:
            self._has_sent.set()

    @property
    def has_sent_all(self) -> bool:
        return self._has_sent.is_set()

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises ClientDisconnect."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            more = message.get("more_body", False)
            if not more:
                self._has_sent.set()
            if chunk := message.get("body", b""):
                self._on_chunk(chunk)
                yield chunk

    async def left(self) -> None:
        """Wait until the client has disconnected, which is not looked for while its body is read."""
        await self._has_sent.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
