"""Bad days: full queues, cut connections, proxies in between. The server fails on request (docs/rehearsal.md)."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from ltx23_client import (
    LTX23,
    AnswerError,
    ConnectionFailed,
    NotFound,
    QueueFull,
    RenderFailed,
    ServerFailed,
    Unavailable,
    WaitTimeout,
)

from tests.jobs.conftest import program_of
from tests.jobs.serving import serve
from tests.python_client.conftest import CONTENT, CREATE, EVENTS, KEY, LONG, SMALL, Rehearsal, async_client


@pytest.fixture
def impatient(rehearsal: Rehearsal) -> LTX23:
    """Return a client that repeats nothing."""
    return LTX23(rehearsal.url, api_key=KEY, retry_s=0, http=httpx.Client(trust_env=False, timeout=60))


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (CREATE, "status=429; retry-after=0; times=2"),
        (CREATE, "status=503; retry-after=1; times=1"),
        (CREATE, "status=502; times=1"),
        (CREATE, "drop=connection; times=2"),
        (CREATE, "drop=halfway; times=1"),
        (EVENTS, "status=503; retry-after=0; times=1"),
        (EVENTS, "drop=connection; times=2"),
        (EVENTS, "drop=halfway; times=1"),
        (EVENTS, "corrupt=html; times=1"),
        (CONTENT, "drop=connection; times=1"),
        (CONTENT, "drop=halfway; times=1"),
        (CONTENT, "corrupt=truncated; times=2"),
        (CONTENT, "corrupt=empty; times=1"),
        (CONTENT, "corrupt=html; times=1"),
    ],
)
def test_a_clip_is_made_all_the_same(request_: str, fault: str, rehearsal: Rehearsal, client: LTX23) -> None:
    rehearsal.fail(request_, fault)
    before = {video.id for video in client.videos.list()}

    clip = client.generate("a red fox", **SMALL)

    assert len(clip.bytes) == clip.video.size_bytes
    assert {video.id for video in client.videos.list()} - before == {clip.video.id}
    assert len(rehearsal.requests(request_)) > 1


def test_the_async_client_does_the_same(rehearsal: Rehearsal) -> None:
    rehearsal.fail(CREATE, "status=429; retry-after=0; times=1")
    rehearsal.fail(EVENTS, "drop=connection; times=1")
    rehearsal.fail(CONTENT, "drop=halfway; times=1")

    async def generate() -> bool:
        async with async_client(rehearsal) as client:
            clip = await client.generate("a red fox", **SMALL)
            return len(clip.bytes) == clip.video.size_bytes

    assert asyncio.run(generate())
    assert len(rehearsal.requests(EVENTS)) == 2


def test_a_function_is_told_of_each_pause(rehearsal: Rehearsal) -> None:
    rehearsal.fail(CREATE, "status=429; retry-after=0; times=2")
    told: list[tuple[str, float]] = []
    http = httpx.Client(trust_env=False, timeout=60)
    with LTX23(rehearsal.url, api_key=KEY, http=http, on_retry=lambda error, s: told.append((str(error), s))) as client:
        client.videos.delete(client.videos.create("a red fox", **SMALL).id)

    assert told == [("the queue is full (rehearsed) (429)", 0.0)] * 2


def test_a_download_goes_on_where_it_was_cut(rehearsal: Rehearsal, client: LTX23) -> None:
    rehearsal.fail(CONTENT, "drop=halfway; times=2")

    clip = client.generate("a red fox", **SMALL)

    first, second, third = (request["headers"] for request in rehearsal.requests(CONTENT))
    size = len(clip.bytes)
    assert "range" not in first
    assert second["range"] == f"bytes={size // 2}-"
    assert int(third["range"].removeprefix("bytes=").removesuffix("-")) > size // 2
    assert second["if-range"] == f'"{clip.video.id}-video"'
    assert clip.bytes == client.videos.content(clip.video.id)


def test_a_pause_longer_than_retry_s_is_not_waited_for(rehearsal: Rehearsal, client: LTX23) -> None:
    rehearsal.fail(CREATE, "status=429; retry-after=3000")

    with pytest.raises(QueueFull) as raised:
        client.videos.create("a red fox", **SMALL)

    assert raised.value.retry_after_s == 3000
    assert len(rehearsal.requests(CREATE)) == 1


@pytest.mark.parametrize(
    ("request_", "fault", "error", "message"),
    [
        (CREATE, "status=429; retry-after=0", QueueFull, "the queue is full (rehearsed) (429)"),
        (CREATE, "status=503", Unavailable, "the model is loading (rehearsed) (503)"),
        (CREATE, "status=500", ServerFailed, "the worker process ended while it rendered this clip (rehearsed) (500)"),
        (CREATE, "drop=connection", ConnectionFailed, "the connection to http://127.0.0.1:"),
        (CREATE, "corrupt=html", AnswerError, "/v1/videos answered text/html, not JSON: is this the"),
        (CREATE, "corrupt=empty", AnswerError, "/v1/videos answered application/json, not JSON"),
        (EVENTS, "corrupt=html", ConnectionFailed, "the events of video_"),
        (CONTENT, "corrupt=html", ConnectionFailed, "the answer is text/html instead of a file"),
        (CONTENT, "corrupt=empty", ConnectionFailed, "0 of the "),
    ],
)
def test_what_does_not_end_is_an_error(
    request_: str, fault: str, error: type[Exception], message: str, rehearsal: Rehearsal, impatient: LTX23
) -> None:
    rehearsal.fail(request_, fault)

    with impatient, pytest.raises(error) as raised:
        impatient.generate("a red fox", **SMALL)

    assert str(raised.value).startswith(message)
    assert len(rehearsal.requests(request_)) == 1


def test_a_render_that_fails_has_its_reason(tmp_path: Path) -> None:
    with serve(program_of("refuses"), tmp_path) as server:
        server.ask_until_ready("anything")
        client = LTX23(str(server.client.base_url), http=httpx.Client(trust_env=False))
        with client, pytest.raises(RenderFailed) as raised:
            client.generate("fail", **SMALL)

    assert raised.value.video.status == "failed"
    assert raised.value.video.error is not None
    assert str(raised.value) == raised.value.video.error.message == "because internal"


def test_a_clip_is_made_over_a_restart_of_the_server(tmp_path: Path) -> None:
    """The server stops while it renders. Once it was not reached, another starts on its port with its data."""
    errors: list[str] = []
    with ExitStack() as first, ExitStack() as second:
        served = first.enter_context(serve(program_of("hangs_in_a_step"), tmp_path))
        served.ask_until_ready("anything")
        address = served.client.base_url

        def restart(error: Exception, pause_s: float) -> None:
            errors.append(str(error))
            if len(errors) == 2:
                second.enter_context(serve(program_of("behaves"), tmp_path, port=address.port))

        http = httpx.Client(trust_env=False, timeout=60)
        with LTX23(str(address), http=http, on_retry=restart) as client:
            clip = client.generate("hang", on_event=lambda event: first.close(), **SMALL)

    assert clip.bytes == b"hang"
    assert len(errors) >= 2


def newest(client: LTX23) -> str:
    [video] = client.videos.list(1)
    return video.id


def test_whoever_leaves_a_stream_cancels_the_render(client: LTX23) -> None:
    for _ in client.stream("a long walk", **LONG):
        video_id = newest(client)
        break

    with pytest.raises(NotFound):
        client.videos.get(video_id)


def test_a_listener_that_fails_cancels_the_render(client: LTX23) -> None:
    seen: list[str] = []

    def fail(event: object) -> None:
        seen.append(newest(client))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.generate("a long walk", on_event=fail, **LONG)

    with pytest.raises(NotFound):
        client.videos.get(seen[0])


def test_a_clip_that_takes_too_long_is_cancelled(client: LTX23) -> None:
    with pytest.raises(WaitTimeout, match=r"video_\w+ was not ready in time") as raised:
        client.generate("a long walk", timeout_s=0.01, **LONG)

    with pytest.raises(NotFound):
        client.videos.get(str(raised.value).split()[0])


def test_a_cancelled_task_cancels_the_render(rehearsal: Rehearsal, client: LTX23) -> None:
    async def cancel() -> str:
        begun = asyncio.Event()
        async with async_client(rehearsal) as other:
            task = asyncio.create_task(other.generate("a walk", on_event=lambda event: begun.set(), **LONG))
            await begun.wait()
            [video] = [video async for video in other.videos.list(1)]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return video.id

    with pytest.raises(NotFound):
        client.videos.get(asyncio.run(cancel()))
