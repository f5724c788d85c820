"""Invalid HTTP, and clients that make the server wait, over raw sockets."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from server.edge.body_limit import BodyLimit, BodyLimits
from server.edge.connection import MAX_HEAD_BYTES, ConnectionLimits, cut
from server.edge.pace import Pace
from tests.edge.conftest import Wire

Connect = Callable[..., Any]

HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
SOON = Pace(stall_s=0.2, min_bytes_per_s=1000)
# Longer than the client's timeout, so a test that waited for this would fail.
NEVER = 600.0
# More than the socket buffers of both sides hold together.
LARGE = b"x" * (32 << 20)


async def read_all(receive: Receive) -> Message:
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
    return message


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path after the whole body has arrived."""
    if (await read_all(receive))["type"] == "http.request":
        await PlainTextResponse(scope["path"])(scope, receive, send)


async def answer_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await Response()(scope, receive, send)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n", 400),
        (HEAD + b"Content-Length: 4, 5\r\n\r\n", 400),
        (HEAD + b"Content-Length: +4\r\n\r\n", 400),
        (HEAD + b"Content-Length: -4\r\n\r\n", 400),
        (HEAD + b"Content-Length: 0x4\r\n\r\n", 400),
        (HEAD + b"Content-Length : 4\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\nx\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", 400),
        (HEAD + b"Name: one\rOther: two\r\n\r\n", 400),
        (HEAD + b"Name: \x00\r\n\r\n", 400),
        (HEAD + b"Host: other\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: h\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)
def test_invalid_http_is_refused_and_closes_the_connection(wire: Connect, request_bytes: bytes, status: int) -> None:
    client = wire(echo)
    client.send(request_bytes + SMUGGLED)
    answer = client.answer()
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert isinstance(answer.json()["detail"], str)
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.rest() == b""


def test_a_head_that_is_too_large_is_refused(wire: Connect) -> None:
    client = wire(echo)
    client.send(HEAD + b"Name: " + b"x" * MAX_HEAD_BYTES)
    assert client.answer().status == 431
    client.send(b"x" * MAX_HEAD_BYTES)
    assert client.rest() == b""


def test_http_1_0_and_a_repeated_equal_content_length_are_served(wire: Connect) -> None:
    client = wire(echo)
    client.send(HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx")
    assert client.answer().body == b"/"
    client.send(b"GET /old HTTP/1.0\r\n\r\n")
    assert client.answer().body == b"/old"


def test_an_incomplete_head_gets_a_408(wire: Connect) -> None:
    client = wire(echo, ConnectionLimits(head_s=0.2))
    client.send(HEAD)
    assert client.answer().status == 408
    assert client.rest() == b""


def test_a_client_that_sends_its_head_byte_by_byte_is_disconnected(wire: Connect) -> None:
    client = wire(echo, ConnectionLimits(head_s=0.2))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.send_all(itertools.chain([HEAD, b"Name: "], itertools.repeat(b"x")))


def test_an_incomplete_head_after_an_answer_gets_a_408(wire: Connect) -> None:
    client = wire(echo, ConnectionLimits(head_s=0.2), timeout_keep_alive=600)
    client.send(b"GET /first HTTP/1.1\r\nHost: h\r\n\r\n")
    assert client.answer().body == b"/first"
    client.send(HEAD)
    assert client.answer().status == 408
    assert client.rest() == b""


@pytest.mark.parametrize("requests", [0, 2])
def test_a_silent_connection_is_closed(wire: Connect, requests: int) -> None:
    client = wire(echo, timeout_keep_alive=1)
    for _ in range(requests):
        client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.answer().status == 200
    assert client.rest() == b""


@pytest.mark.parametrize("declared", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_stalls_gets_a_408(wire: Connect, declared: str) -> None:
    client = wire(BodyLimit(echo, BodyLimits(1000, pace=SOON)))
    client.send_head(declared)
    client.send(b"1\r\n")
    answer = client.answer()
    assert answer.status == 408
    assert "0.2 s" in answer.json()["detail"]
    assert client.rest() == b""


def test_a_client_that_sends_an_endless_body_too_slowly_is_disconnected(wire: Connect) -> None:
    client = wire(BodyLimit(echo, BodyLimits(1 << 30, pace=Pace(stall_s=0.2, min_bytes_per_s=1e12))))
    client.send_head("Transfer-Encoding: chunked")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.send_all(itertools.repeat(b"1\r\nx\r\n"))


def test_a_slow_body_is_accepted_while_it_does_not_stall(wire: Connect) -> None:
    client = wire(BodyLimit(echo, BodyLimits(1 << 30, pace=Pace(NEVER, 1e12))))
    client.send_head("Content-Length: 1000")
    client.send(*[b"x"] * 1000)
    assert client.answer().status == 200


def test_the_server_does_not_wait_for_a_body_that_was_not_read(wire: Connect) -> None:
    client = wire(answer_at_once, ConnectionLimits(head_s=0.2), timeout_keep_alive=600)
    client.send_head("Content-Length: 1000000000")
    assert client.answer().status == 200
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.send_all(itertools.repeat(b"x"))


@pytest.mark.parametrize("pieces", [1, 32])
def test_the_connection_is_reset_if_the_client_does_not_read_the_answer(wire: Connect, pieces: int) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(pieces):
            await send({"type": "http.response.body", "body": LARGE[: len(LARGE) // pieces], "more_body": True})
        await send({"type": "http.response.body"})

    client = wire(answer, ConnectionLimits(head_s=NEVER, pace=SOON), timeout_keep_alive=600)
    client.send_head("Content-Length: 0")
    assert client.is_reset()


def test_a_large_answer_arrives_whole(wire: Connect) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(LARGE)(scope, receive, send)

    client = wire(answer, ConnectionLimits(pace=SOON))
    client.send_head("Content-Length: 0")
    assert client.answer().body == LARGE


def test_the_connection_idle_for_longest_is_closed_to_make_room(serve: Connect) -> None:
    address = serve(echo, ConnectionLimits(max_connections=2))
    with Wire(address) as first, Wire(address) as second:
        for client in (first, second, first):
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert client.answer().status == 200
        with Wire(address) as third:
            for client in (first, third):
                client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert client.answer().status == 200
            assert second.rest() == b""


def test_a_new_connection_gets_a_503_if_all_others_are_busy(serve: Connect) -> None:
    entered = threading.Event()

    async def echo_late(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await echo(scope, receive, send)

    address = serve(echo_late, ConnectionLimits(max_connections=1))
    with Wire(address) as busy:
        busy.send_head("Content-Length: 1")
        assert entered.wait(20)
        with Wire(address) as late:
            refused = late.answer()
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            assert late.rest() == b""
        busy.send(b"x")
        assert busy.answer().status == 200
        with Wire(address) as later:
            later.send_head("Content-Length: 0")
            assert later.answer().status == 200


@pytest.mark.parametrize("sent", [0, 5])
def test_an_application_can_cut_the_connection(wire: Connect, sent: int) -> None:
    """Before its answer, or in the middle of it; what it has sent arrives."""

    async def cut_short(scope: Scope, receive: Receive, send: Send) -> None:
        if sent:
            headers = [(b"content-length", b"10")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"x" * sent, "more_body": True})
        cut(scope)

    client = wire(cut_short)
    client.send_head(method="GET")
    received = client.rest()

    assert received.endswith(b"\r\n\r\n" + b"x" * sent) if sent else received == b""
