"""The client of the language model, with a server on loopback that fails in many ways."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enhancer.errors import BadAnswer, Busy, EnhancerError, OptionError, Refused, TimedOut, Unavailable
from enhancer.messages import Message
from enhancer.sglang import Completion, Sglang, SglangOptions, resolve_base_url
from tests.enhancer.sglang_server import (
    Answer,
    answers,
    breaks_off,
    fails,
    floods,
    floods_headers,
    hangs,
    says,
    sends,
    serving,
    trickles,
)

SECRET = "the fox has a secret"
QUESTION: list[Message] = [{"role": "user", "content": SECRET}]


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[Sglang]:
    sglang = Sglang(SglangOptions(url, **{"timeout_s": 60.0} | options))
    try:
        yield sglang
    finally:
        await sglang.aclose()


async def test_a_question_is_answered() -> None:
    async with serving(says("A red fox runs.")) as server, client(server.url) as sglang:
        assert await sglang.complete(QUESTION) == Completion("A red fox runs.")
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.messages == QUESTION
    assert seen.body["model"] == "meta-llama/Llama-3.2-3B-Instruct"
    assert seen.body["temperature"] == 0
    assert seen.body["max_tokens"] == 400
    assert seen.body["regex"]
    assert "</description>" in seen.body["stop"]
    assert "authorization" not in seen.headers


async def test_a_truncated_answer_is_marked() -> None:
    async with serving(says("A red fox", "length")) as server, client(server.url) as sglang:
        assert await sglang.complete(QUESTION) == Completion("A red fox", is_cut=True)


async def test_a_key_is_sent() -> None:
    async with serving() as server, client(server.url, api_key="sk-fox") as sglang:
        await sglang.complete(QUESTION)
    assert server.seen[0].headers["authorization"] == "Bearer sk-fox"
    assert "sk-fox" not in repr(SglangOptions(server.url, api_key="sk-fox"))


async def test_any_text_can_be_sent() -> None:
    question: list[Message] = [{"role": "user", "content": "\ud800 狐 \x00 🦊"}]
    async with serving() as server, client(server.url) as sglang:
        await sglang.complete(question)
    assert server.seen[0].messages == [{"role": "user", "content": "? 狐 \x00 🦊"}]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", " "])
async def test_an_address_may_have_several_forms(suffix: str) -> None:
    async with serving() as server, client(server.url + suffix) as sglang:
        await sglang.complete(QUESTION)
        await sglang.check_ready()
    assert [seen.path for seen in server.seen] == ["/v1/chat/completions", "/ready"]


async def test_a_server_may_be_below_a_path() -> None:
    async with serving() as server, client(f"{server.url}/llama/v1") as sglang:
        await sglang.complete(QUESTION)
    assert server.seen[0].path == "/llama/v1/chat/completions"


@pytest.mark.parametrize("url", ["", "fox", "127.0.0.1:30000", "ftp://host", "http://", "http://host:fox"])
def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match=r"url: .* write http://HOST:PORT"):
        resolve_base_url(url)


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(OptionError, match="api_key"):
        Sglang(SglangOptions("http://127.0.0.1:1", api_key="füchse\n"))


async def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving() as server, client(server.url) as sglang:
        assert (await sglang.complete(QUESTION)).text


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fails(400), Refused),
        (fails(401), Refused),
        (fails(403), Refused),
        (fails(404), Refused),
        (fails(422), Refused),
        (fails(429), Busy),
        (fails(500), Unavailable),
        (fails(502), Unavailable),
        (fails(503), Busy),
        (fails(302), Unavailable),
        (floods, BadAnswer),
        (sends(b"<html>Bad Gateway</html>"), BadAnswer),
        (sends(b""), BadAnswer),
        (sends(b"null"), BadAnswer),
        (sends(b"\xff\xfe"), BadAnswer),
        (sends(b'{"choices": []}'), BadAnswer),
        (sends(b'{"choices": [{}]}'), BadAnswer),
        (sends(b'{"choices": ["text"]}'), BadAnswer),
        (sends(b'{"choices": {"0": 1}}'), BadAnswer),
        (sends(b'{"a":' * 20000), BadAnswer),
        (answers(None), BadAnswer),
        (answers(""), BadAnswer),
        (answers(" \n "), BadAnswer),
        (answers(["a list"]), BadAnswer),
    ],
)
async def test_an_invalid_answer_is_an_error_without_a_retry(answer: Answer, error: type[EnhancerError]) -> None:
    async with serving(answer) as server, client(server.url) as sglang:
        with pytest.raises(error) as raised:
            await sglang.complete(QUESTION)
        assert len(server.seen) == 1
        assert "secret" not in str(raised.value)
        assert "127.0.0.1" not in str(raised.value)
        assert (await sglang.complete(QUESTION)).text == "A red fox runs through deep snow."


@pytest.mark.parametrize("answer", [breaks_off, sends(b'{"choices": [', length=1000), floods_headers])
async def test_a_broken_connection_is_retried_once(answer: Answer) -> None:
    async with serving(answer) as server, client(server.url) as sglang:
        assert (await sglang.complete(QUESTION)).text == "A red fox runs through deep snow."
        assert len(server.seen) == 2
        server.answers.extend([answer, answer])
        with pytest.raises(Unavailable, match="does not answer"):
            await sglang.complete(QUESTION)
        assert len(server.seen) == 4


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    async with client(url) as sglang:
        with pytest.raises(Unavailable, match="does not answer"):
            await sglang.complete(QUESTION)
        with pytest.raises(Unavailable, match="does not answer"):
            await sglang.check_ready()


@pytest.mark.parametrize("answer", [hangs, trickles])
async def test_the_deadline_covers_the_whole_call(answer: Answer) -> None:
    async with serving(breaks_off, otherwise=answer) as server, client(server.url, timeout_s=0.1) as sglang:
        with pytest.raises(TimedOut, match=r"longer than 0\.1 s"):
            await sglang.complete(QUESTION)


async def test_a_connection_that_is_not_accepted_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            async with client(f"http://127.0.0.1:{full.getsockname()[1]}", timeout_s=0.1) as sglang:
                with pytest.raises(TimedOut):
                    await sglang.complete(QUESTION)
                with pytest.raises(TimedOut):
                    await sglang.check_ready()


@pytest.mark.parametrize(
    ("replies", "paths"),
    [([sends(b"")], ["/ready"]), ([fails(404), sends(b"")], ["/ready", "/health"])],
)
async def test_a_ready_server_passes_the_check(replies: list[Answer], paths: list[str]) -> None:
    async with serving(*replies) as server, client(server.url) as sglang:
        await sglang.check_ready()
    assert [seen.path for seen in server.seen] == paths


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([fails(503)], Busy),
        ([fails(500)], Unavailable),
        ([fails(401)], Refused),
        ([fails(404), fails(404)], Refused),
        ([breaks_off], Unavailable),
    ],
)
async def test_a_server_that_is_not_ready_fails_the_check(replies: list[Answer], error: type[EnhancerError]) -> None:
    async with serving(*replies) as server, client(server.url) as sglang:
        with pytest.raises(error):
            await sglang.check_ready()
        assert len(server.seen) == len(replies)


async def test_a_call_can_be_cancelled() -> None:
    async with serving(hangs) as server, client(server.url) as sglang:
        call = asyncio.create_task(sglang.complete(QUESTION))
        await server.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await sglang.complete(QUESTION)).text
