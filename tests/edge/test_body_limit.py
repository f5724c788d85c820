import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

from server.edge.body_limit import BodyLimit, BodyLimits
from server.edge.refusal import Linger
from tests.edge.conftest import Wire

LIMIT = 1000
LIMITS = BodyLimits(LIMIT)
# More than the socket buffers of both sides hold together.
LARGE = b"x" * (32 << 20)
CHUNKED = "Transfer-Encoding: chunked"
EXPECT = "Expect: 100-continue"
LAST_CHUNK = b"0\r\n\r\n"
# Longer than the client's timeout, so a test that waited for this would fail.
PATIENT = Linger(total_s=600, idle_s=600, expect_s=600)

Connect = Callable[..., Any]


class Counter:
    """Read the whole body and answer with its size."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.unwound_by: BaseException | None = None

    @property
    def size(self) -> int:
        return sum(len(message.get("body", b"")) for message in self.messages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.read(receive)
        except BaseException as exc:
            self.unwound_by = exc
            raise
        await JSONResponse(self.size)(scope, receive, send)

    async def read(self, receive: Receive) -> None:
        more_body = True
        while more_body:
            self.messages.append(await receive())
            more_body = self.messages[-1].get("more_body", False)


def assert_too_large(answer: Any) -> None:
    assert answer.status == 413
    assert answer.json() == {"detail": "The request body is larger than the limit of 1000 bytes."}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"


def test_a_client_that_sends_everything_before_reading_is_not_reset(wire: Connect) -> None:
    app = Counter()
    client = wire(BodyLimit(app, LIMITS, PATIENT))
    client.send_head(f"Content-Length: {len(LARGE)}")
    client.send(LARGE)
    assert_too_large(client.answer())
    assert client.rest() == b""
    assert app.messages == []


def test_a_declared_size_above_the_limit_is_refused_before_the_body_arrives(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send_head(f"Content-Length: {LIMIT + 1}")
    assert_too_large(client.answer())
    client.send(b"x" * (LIMIT + 1))
    assert client.rest() == b""


def test_a_client_may_go_on_sending_after_the_answer(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send_head(f"Content-Length: {LIMIT * 2}")
    client.send(b"x" * LIMIT)
    assert_too_large(client.answer())
    client.send(*[b"x"] * LIMIT)
    assert client.rest() == b""


def test_a_client_that_expects_100_is_refused_instead(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, Linger(expect_s=0.1, idle_s=600)))
    client.send_head(EXPECT, f"Content-Length: {len(LARGE)}")
    assert_too_large(client.answer())
    assert client.rest() == b""


def test_a_client_that_expects_100_and_does_not_wait_is_not_reset(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send_head(EXPECT, f"Content-Length: {len(LARGE)}")
    client.send(LARGE)
    assert_too_large(client.answer())
    assert client.rest() == b""


def test_a_client_that_expects_100_is_told_to_continue_within_the_limit(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send_head(EXPECT, f"Content-Length: {LIMIT}")
    assert client.answer().status == 100
    client.send(b"x" * LIMIT)
    assert client.answer().json() == LIMIT


def test_chunks_above_the_limit_are_refused(wire: Connect) -> None:
    app = Counter()
    client = wire(BodyLimit(app, LIMITS, PATIENT))
    client.send_head(CHUNKED)
    client.send_chunks(*[LARGE[: 1 << 16]] * 512)
    client.send(LAST_CHUNK)
    assert_too_large(client.answer())
    assert client.rest() == b""
    assert app.size <= LIMIT
    assert app.unwound_by is not None
    assert not isinstance(app.unwound_by, Exception)


def test_chunks_are_refused_as_soon_as_they_cross_the_limit(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send_head(EXPECT, CHUNKED)
    assert client.answer().status == 100
    client.send_chunks(b"x" * LIMIT, b"x")
    assert_too_large(client.answer())
    client.send_chunks(LARGE)
    client.send(LAST_CHUNK)
    assert client.rest() == b""


def test_the_connection_closes_at_once_if_the_last_chunk_has_arrived(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, PATIENT))
    client.send(
        b"POST / HTTP/1.1\r\nHost: h\r\n" + CHUNKED.encode() + b"\r\n\r\n3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    )
    assert_too_large(client.answer())
    assert client.rest() == b""


def test_a_body_of_exactly_the_limit_passes_unchanged(wire: Connect) -> None:
    app = Counter()
    client = wire(BodyLimit(app, LIMITS))
    client.send_head(f"Content-Length: {LIMIT}")
    client.send(b"x" * LIMIT)
    assert client.answer().json() == LIMIT
    client.send_head(CHUNKED)
    client.send_chunks(b"y" * LIMIT)
    client.send(LAST_CHUNK)
    assert client.answer().json() == 2 * LIMIT
    assert b"".join(message["body"] for message in app.messages) == b"x" * LIMIT + b"y" * LIMIT


def test_the_application_receives_no_more_than_the_declared_size(wire: Connect) -> None:
    app = Counter()
    client = wire(BodyLimit(app, LIMITS))
    client.send_head("Content-Length: 10")
    client.send(b"x" * 10)
    client.send(LARGE[: LIMIT * 2])
    assert client.answer().json() == 10


def test_the_application_is_told_when_a_client_disconnects(wire: Connect) -> None:
    app = Counter()
    has_read = threading.Event()

    async def reads_to_the_end(scope: Scope, receive: Receive, send: Send) -> None:
        await app.read(receive)
        has_read.set()

    client = wire(BodyLimit(reads_to_the_end, LIMITS))
    client.send_head("Content-Length: 10")
    client.send(b"x")
    client.close()
    assert has_read.wait(20)
    assert app.messages[-1] == {"type": "http.disconnect"}


@pytest.mark.parametrize("linger", [Linger(max_bytes=1 << 20), Linger(total_s=0.2)], ids=["bytes", "time"])
def test_a_client_that_never_ends_its_body_is_disconnected(wire: Connect, linger: Linger) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, linger))
    client.send_head(f"Content-Length: {1 << 60}")
    assert_too_large(client.answer())
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        client.send_all(itertools.repeat(LARGE[: 1 << 16]))


def test_a_client_that_declares_more_than_it_sends_is_disconnected(wire: Connect) -> None:
    client = wire(BodyLimit(Counter(), LIMITS, Linger(idle_s=0.1)))
    client.send_head(f"Content-Length: {len(LARGE)}")
    client.send(b"x")
    assert_too_large(client.answer())
    assert client.rest() == b""


def assert_too_many(answer: Any) -> None:
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["connection"] == "close"


def test_all_bodies_together_have_a_limit(serve: Connect) -> None:
    """Refuse two other bodies while the first request holds 600 bytes and waits for one more."""
    entered = threading.Event()

    class Announced(Counter):
        async def read(self, receive: Receive) -> None:
            for _ in range(2):
                self.messages.append(await receive())
                if self.size == 600:
                    entered.set()

    apps = iter([Announced(), Counter(), Counter()])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await next(apps)(scope, receive, send)

    address = serve(BodyLimit(app, BodyLimits(LIMIT, max_total_bytes=LIMIT), PATIENT))
    with Wire(address) as first, Wire(address) as declared, Wire(address) as chunked:
        first.send_head("Content-Length: 601")
        first.send(b"x" * 600)
        assert entered.wait(20)

        declared.send_head("Content-Length: 500")
        assert_too_many(declared.answer())
        chunked.send_head(CHUNKED)
        chunked.send_chunks(b"x" * 401)
        assert_too_many(chunked.answer())

        first.send(b"x")
        assert first.answer().json() == 601
    with Wire(address) as last:
        last.send_head(f"Content-Length: {LIMIT}")
        last.send(b"x" * LIMIT)
        assert last.answer().json() == LIMIT


def test_fastapi_is_interrupted_and_cleans_up(wire: Connect) -> None:
    app = FastAPI()
    events = []

    async def resource() -> AsyncIterator[None]:
        try:
            yield
        finally:
            events.append("released")

    @app.exception_handler(Exception)
    async def last_handler(request: Request, exc: Exception) -> JSONResponse:
        events.append("handled as an error")
        return JSONResponse({}, 500)

    @app.post("/generate")
    async def generate(request: Request, _: Annotated[None, Depends(resource)]) -> int:
        try:
            return len(await request.body())
        except Exception:
            events.append("caught as an error")
            raise

    client = wire(BodyLimit(app, LIMITS, PATIENT))
    client.send_head(CHUNKED)
    client.send_chunks(b"x" * LIMIT, LARGE)
    client.send(LAST_CHUNK)
    assert_too_large(client.answer())
    assert client.rest() == b""
    assert events == ["released"]


async def reads_in_a_task_group(scope: Scope, receive: Receive, send: Send) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Counter().read(receive))
        await asyncio.Event().wait()


async def answers_anyway(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await Counter().read(receive)
    except BaseException:
        await JSONResponse({}, 500)(scope, receive, send)


@pytest.mark.parametrize("app", [reads_in_a_task_group, answers_anyway])
def test_there_is_one_answer_however_the_application_reacts(wire: Connect, app: Any) -> None:
    client = wire(BodyLimit(app, LIMITS, PATIENT))
    client.send_head(CHUNKED)
    client.send_chunks(LARGE)
    client.send(LAST_CHUNK)
    assert_too_large(client.answer())
    assert client.rest() == b""


def test_no_second_answer_follows_one_that_has_begun(wire: Connect) -> None:
    app = Counter()

    async def answers_first(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await app.read(receive)
        await send({"type": "http.response.body", "body": b"ok"})

    client = wire(BodyLimit(answers_first, LIMITS))
    client.send_head(CHUNKED, "Connection: close")
    client.send_chunks(LARGE)
    client.send(LAST_CHUNK)
    answer = client.answer()
    assert (answer.status, answer.body) == (200, b"ok")
    assert client.rest() == b""
    assert app.size <= LIMIT
    assert app.messages[-1] == {"type": "http.disconnect"}


def test_errors_of_the_application_pass_unchanged() -> None:
    async def post() -> None:
        transport = httpx.ASGITransport(BodyLimit(fails, LIMITS))
        async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
            await client.post("/", content=b"x")

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        asyncio.run(post())
