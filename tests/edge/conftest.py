"""A real uvicorn in a thread, and a raw socket to it: what matters here is on the wire."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import parse_headers
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp

Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body.decode("ascii"))


class Wire:
    """A client in full control of what it sends and when it reads."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._reader = self._socket.makefile("rb")

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

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
        """What follows until the server closes in good order; ConnectionResetError if it does not."""
        return self._reader.read()


@contextmanager
def running(app: ASGIApp) -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http="h11", lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        address: Address = listener.getsockname()
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def serve(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[ASGIApp], Address]]:
    """Serves an application until the end of the test, which fails if the server has logged an error."""
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(running(app))
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def wire(serve: Callable[[ASGIApp], Address]) -> Iterator[Callable[[ASGIApp], Wire]]:
    with ExitStack() as clients:

        def connect(app: ASGIApp) -> Wire:
            client = Wire(serve(app))
            clients.callback(client.close)
            return client

        yield connect


@pytest.fixture
def http(serve: Callable[[ASGIApp], Address]) -> Iterator[Callable[[ASGIApp], httpx.Client]]:
    with ExitStack() as clients:

        def connect(app: ASGIApp) -> httpx.Client:
            host, port = serve(app)
            return clients.enter_context(httpx.Client(base_url=f"http://{host}:{port}", trust_env=False))

        yield connect
