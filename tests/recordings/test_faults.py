"""Connections that are cut, clients that leave, and a recorder that is killed."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from server.edge.connection import cut
from server.recordings.folder import read_exchanges
from tests.edge.conftest import Wire
from tests.edge.test_connection import read_all
from tests.recordings.conftest import recording, replaying

Endpoint = Callable[[ASGIApp], str]

HALF = b"x" * 300_000


async def send_half(send: Send, **headers: str) -> None:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": HALF, "more_body": True})


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("whole")(scope, receive, send)


def receive_until_cut(url: str, path: str) -> tuple[int | None, bytes]:
    """Return the status, which is None if there was no answer, and the part of the body that arrived."""
    status, body = None, b""
    try:
        with httpx.stream("GET", url + path, trust_env=False, timeout=60) as response:
            status = response.status_code
            for chunk in response.iter_raw():
                body += chunk
    except httpx.RemoteProtocolError:
        return status, body
    pytest.fail("the answer was not cut")


@pytest.mark.parametrize(
    ("path", "seen"), [("/unanswered", (None, b"")), ("/sized", (200, HALF)), ("/chunked", (200, HALF))]
)
def test_a_cut_connection_is_recorded_and_replayed_as_such(
    path: str, seen: tuple[int | None, bytes], endpoint: Endpoint, tmp_path: Path
) -> None:
    async def cut_short(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/sized":
            await send_half(send, content_length=str(2 * len(HALF)))
        elif scope["path"] == "/chunked":
            await send_half(send)
        cut(scope)

    with recording(tmp_path, endpoint(cut_short)) as recorder:
        assert receive_until_cut(recorder.url, path) == seen
    with replaying(tmp_path) as replay:
        assert receive_until_cut(replay.url, path) == seen

    (exchange,) = read_exchanges(tmp_path)
    assert (exchange.answer.end, exchange.answer.status) == ("cut", seen[0])


def test_an_answer_is_passed_on_while_it_is_made(endpoint: Endpoint, tmp_path: Path) -> None:
    """The endpoint ends its answer only once the client has its first half."""
    has_half = threading.Event()

    async def in_two_halves(scope: Scope, receive: Receive, send: Send) -> None:
        await send_half(send, content_type="text/plain")
        await asyncio.to_thread(has_half.wait, 60)
        await send({"type": "http.response.body", "body": b"end"})

    with recording(tmp_path, endpoint(in_two_halves)) as recorder:
        with httpx.stream("GET", recorder.url, trust_env=False, timeout=60) as response:
            chunks = response.iter_raw()
            received = b""
            while len(received) < len(HALF):
                received += next(chunks)
            has_half.set()
            received += b"".join(chunks)
        # The line is there as soon as the client has the whole answer.
        (exchange,) = read_exchanges(tmp_path)

    assert received == HALF + b"end"
    assert exchange.answer.end == "complete"


def test_a_killed_recorder_leaves_no_half_recording(endpoint: Endpoint, tmp_path: Path) -> None:
    async def half_or_whole(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/half":
            await send_half(send)
            # More than a recorder keeps in memory.
            for _ in range(8):
                await send({"type": "http.response.body", "body": HALF, "more_body": True})
            await read_all(receive)
            await receive()
        else:
            await answer(scope, receive, send)

    url = endpoint(half_or_whole)
    with recording(tmp_path, url) as recorder:
        httpx.get(f"{recorder.url}/whole", trust_env=False)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with httpx.stream("GET", f"{recorder.url}/half", trust_env=False, timeout=60) as response:
            chunks, received = response.iter_raw(), 0
            while received < 9 * len(HALF):
                received += len(next(chunks))
            recorder.process.kill()
            recorder.process.wait()

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    with replaying(tmp_path) as replay, replay.client() as client:
        assert client.get("/whole").text == "whole"
        assert client.get("/half").status_code == 404


def test_a_client_that_leaves_cancels_the_request_and_is_not_recorded(endpoint: Endpoint, tmp_path: Path) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def never_answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/":
            return await answer(scope, receive, send)
        await read_all(receive)
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        cancelled.set()
        return None

    with recording(tmp_path, endpoint(never_answer)) as recorder:
        url = httpx.URL(recorder.url)
        with Wire((url.host, url.port or 80)) as client:
            client.send(b"POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
            assert begun.wait(60)
        assert cancelled.wait(60)
        httpx.get(recorder.url, trust_env=False)

    assert [exchange.request.path for exchange in read_exchanges(tmp_path)] == ["/"]


def test_an_endpoint_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with recording(tmp_path, "http://127.0.0.1:1") as recorder, recorder.client() as client:
        response = client.post("/generate", json={"prompt": "a fox"})

    assert response.status_code == 502
    assert response.json()["detail"].startswith("http://127.0.0.1:1 cannot be reached: ")
    assert read_exchanges(tmp_path) == []


def test_a_status_that_has_no_name_is_replayed(endpoint: Endpoint, tmp_path: Path) -> None:
    async def time_out(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("a timeout occurred", 524)(scope, receive, send)

    with recording(tmp_path, endpoint(time_out)) as recorder, recorder.client() as client:
        assert client.get("/").status_code == 524
    with replaying(tmp_path) as replay, replay.client() as client:
        assert (client.get("/").status_code, client.get("/").text) == (524, "a timeout occurred")


def test_it_listens_on_loopback_only(tmp_path: Path) -> None:
    (tmp_path / "exchanges.jsonl").touch()
    with replaying(tmp_path, "--host", "0.0.0.0") as replay:
        assert replay.note.startswith("This listens on loopback only, not on 0.0.0.0, unless you say --allow-no-key.")
        ports = [each.laddr for each in psutil.Process(replay.process.pid).net_connections() if each.status == "LISTEN"]

    assert [port.ip for port in ports] == ["127.0.0.1"]


def test_a_folder_is_recorded_into_by_one_process(endpoint: Endpoint, tmp_path: Path) -> None:
    url = endpoint(answer)
    with recording(tmp_path, url):
        command = [
            sys.executable,
            "-m",
            "server.cli",
            "record",
            "--to",
            str(tmp_path),
            "--upstream",
            url,
            "--port",
            "0",
        ]
        second = subprocess.run(command, capture_output=True, text=True)

    assert second.returncode == 1
    assert second.stderr == (f"ltx23: error: {tmp_path}: another process records into it; choose another folder\n")
