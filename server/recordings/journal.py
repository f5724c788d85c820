"""Write each request into a folder when it has arrived, for tests that look at what a client sends."""

import asyncio
import logging
from concurrent.futures import Executor, ThreadPoolExecutor

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.edge.refusal import has_body
from server.recordings.exchange import Arrival
from server.recordings.folder import RecordingFolder
from server.recordings.request import describe_request
from server.recordings.spool import Spool

log = logging.getLogger("ltx23.requests")

INDEX = "requests.jsonl"


class RequestJournal:
    """Write the request before `app` gets the end of its body, or before the answer if that comes first."""

    def __init__(self, app: ASGIApp, folder: RecordingFolder) -> None:
        self._app, self._folder = app, folder
        # One thread, so that lines are written one after the other.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrival = _Arriving(scope, receive, send, self._folder, self._writer)
        try:
            if not has_body(Headers(scope=scope)):
                await arrival.write(is_complete=True)
            await self._app(scope, arrival.receive, arrival.send)
        finally:
            await arrival.write(is_complete=False)
            arrival.close()


class _Arriving:
    """One request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, folder: RecordingFolder, writer: Executor) -> None:
        # The application may change the scope.
        self._scope, self._receive, self._send = dict(scope), receive, send
        self._folder, self._writer = folder, writer
        self._body = Spool(folder.bodies)
        self._is_written = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not self._is_written:
            self._body.write(message.get("body", b""))
            if not message.get("more_body", False):
                await self.write(is_complete=True)
        return message

    async def send(self, message: Message) -> None:
        await self.write(is_complete=False)
        await self._send(message)

    async def write(self, *, is_complete: bool) -> None:
        """Write the line, unless it is written."""
        if self._is_written:
            return
        self._is_written = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, is_complete)
        except OSError as exc:
            log.error("a request is not written: %s: %s", self._folder.root, exc.strerror or exc)

    def close(self) -> None:
        self._body.close()

    def _write(self, is_complete: bool) -> None:
        request = describe_request(self._scope, self._body, root=self._folder.root, is_complete=is_complete)
        self._folder.append(Arrival(request=request))
