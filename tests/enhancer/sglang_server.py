"""A server on loopback with the part of SGLang's API that the client uses, which answers as a test tells it to."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def messages(self) -> list[dict[str, str]]:
        return self.body["messages"]


class SglangServer:
    """Give the answers in the queue one after another, then `otherwise` each time."""

    def __init__(self, otherwise: Answer) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.answers: deque[Answer] = deque()
        self.otherwise = otherwise
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def held(self, answer: Answer) -> Answer:
        """Give the answer once the test sets `release`."""

        async def hold(writer: asyncio.StreamWriter) -> None:
            await self.release.wait()
            await answer(writer)

        return hold

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                self.seen.append(await _read_request(reader))
                self.arrived.set()
                await (self.answers.popleft() if self.answers else self.otherwise)(writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def serving(*answers: Answer, otherwise: Answer | None = None) -> AsyncIterator[SglangServer]:
    sglang = SglangServer(otherwise or says("A red fox runs through deep snow."))
    sglang.answers.extend(answers)
    server = await asyncio.start_server(sglang.serve, "127.0.0.1", 0)
    sglang.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield sglang
    finally:
        server.close()
        await sglang.stop()
        await server.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.strip().split("\r\n")
    method, path, _ = start.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(method, path, headers, json.loads(body) if body else None)


def sends(body: bytes, status: int = 200, length: int | None = None) -> Answer:
    """Send a body. `length` is announced in place of its true length."""

    async def send(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return send


def answers(content: object, finish_reason: str = "stop") -> Answer:
    message = {"role": "assistant", "content": content}
    completion = {"object": "chat.completion", "choices": [{"message": message, "finish_reason": finish_reason}]}
    return sends(json.dumps(completion).encode())


def says(text: str, finish_reason: str = "stop") -> Answer:
    return answers(text, finish_reason)


def fails(status: int) -> Answer:
    return sends(b'{"object": "error", "message": "something with the prompt in it"}', status)


async def breaks_off(writer: asyncio.StreamWriter) -> None:
    """Close the connection without an answer, after the request was read."""


async def hangs(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def trickles(writer: asyncio.StreamWriter) -> None:
    """Begin an answer and never finish it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    await asyncio.Event().wait()


async def floods(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def floods_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Flood: " + b"x" * 4096 + b"\r\n")
        await writer.drain()
