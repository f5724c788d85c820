"""A real uvicorn server in a thread, and clients that speak to it over raw sockets."""

import json
import logging
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.client import parse_headers
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

from server.edge.connection import Connection, ConnectionLimits

Address = tuple[str, int]
LIMITS = ConnectionLimits()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body.decode("ascii"))


class Wire:
    """A raw connection: the test decides which bytes are sent and when to read."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def is_reset(self) -> bool:
        """Wait, without reading, until the server resets the connection; return whether it did."""
        poll = select.poll()
        poll.register(self._socket, 0)
        return any(event & select.POLLERR for _, event in poll.poll(20_000))

    def send(self, *pieces: bytes) -> None:
        self.send_all(pieces)

    def send_all(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._socket.sendall(piece)

    def send_head(self, *headers: str, method: str = "POST", target: str = "/generate") -> None:
        self.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: h", *headers, "", ""]).encode("utf-8"))

    def send_chunks(self, *chunks: bytes) -> None:
        self.send(*(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks))

    def answer(self, *, has_body: bool = True) -> Answer:
        status = int(self._reader.readline().split()[1])
        headers = parse_headers(self._reader)
        size = int(headers.get("content-length", "0")) if has_body else 0
        return Answer(status, headers, self._reader.read(size))

    def rest(self) -> bytes:
        """Return what arrives until the server closes the connection; a reset raises ConnectionResetError."""
        return self._reader.read()


@contextmanager
def running(app: ASGIApp, limits: ConnectionLimits = LIMITS, **options: Any) -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        protocol: Any = partial(Connection, limits=limits)
        server = uvicorn.Server(uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        address: Address = listener.getsockname()
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Address]]:
    """Return a function that serves an application until the test ends; the test fails if the server logs an error."""
    with ExitStack() as servers:
        yield lambda app, *args, **options: servers.enter_context(running(app, *args, **options))
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def wire(serve: Callable[..., Address]) -> Iterator[Callable[..., Wire]]:
    with ExitStack() as clients:

        def connect(app: ASGIApp, *args: Any, **options: Any) -> Wire:
            client = Wire(serve(app, *args, **options))
            clients.callback(client.close)
            return client

        yield connect


@pytest.fixture
def http(serve: Callable[..., Address]) -> Iterator[Callable[[ASGIApp], httpx.Client]]:
    with ExitStack() as clients:

        def connect(app: ASGIApp) -> httpx.Client:
            host, port = serve(app)
            return clients.enter_context(httpx.Client(base_url=f"http://{host}:{port}", trust_env=False))

        yield connect
