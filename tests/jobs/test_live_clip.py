"""Watch a clip that a worker writes, and what its viewers see when the worker fails."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from server.jobs.live_clip import ClipCut, LiveClip, LiveReader
from server.worker.messages import Progress, Ready
from tests.jobs.conftest import program_of
from tests.jobs.serving import Served, serve, worker_of

PROGRAM = program_of("writes_fragments")
BODY = {"width": 256, "height": 256, "num_frames": 9, "generate_audio": False}


async def read(reader: LiveReader | None) -> list[bytes]:
    assert reader is not None
    try:
        return [piece async for piece in reader.pieces()]
    finally:
        reader.close()


async def test_readers_get_all_of_it_whenever_they_come(tmp_path: Path) -> None:
    clip = LiveClip(tmp_path / "live.mp4")
    early = asyncio.create_task(clip.open())
    clip.path.write_bytes(b"one")
    clip.grow(3)
    first, second = await early, await clip.open()
    reading = asyncio.create_task(read(first))
    await asyncio.sleep(0)
    with clip.path.open("ab") as file:
        file.write(b"two")
    clip.grow(6)
    clip.end(is_whole=True)
    clip.path.unlink()

    assert b"".join(await reading) == b"onetwo"
    assert await read(second) == [b"onetwo"]
    assert await clip.open() is None


async def test_bytes_that_were_not_announced_are_not_read(tmp_path: Path) -> None:
    clip = LiveClip(tmp_path / "live.mp4")
    clip.path.write_bytes(b"one, and half of two")
    clip.grow(3)
    reader = await clip.open()
    clip.end(is_whole=True)

    assert await read(reader) == [b"one"]


async def test_a_clip_that_ends_too_early_is_cut(tmp_path: Path) -> None:
    clip = LiveClip(tmp_path / "live.mp4")
    clip.path.write_bytes(b"one")
    clip.grow(3)
    reader = await clip.open()
    clip.end(is_whole=False)
    clip.end(is_whole=True)

    with pytest.raises(ClipCut):
        await read(reader)


async def test_nobody_waits_for_a_clip_that_ends_before_it_begins(tmp_path: Path) -> None:
    clip = LiveClip(tmp_path / "live.mp4")
    waiting = asyncio.create_task(clip.open())
    clip.end(is_whole=False)

    assert await waiting is None


Serving = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    """Run a server whose worker writes a part of each clip; it must log no traceback."""
    with serve(PROGRAM, tmp_path / "work", cache_dir=tmp_path) as running:
        running.told(Ready)
        yield running
    assert [record.getMessage() for record in caplog.get_records("call") if record.exc_info] == []


def create(served: Served, prompt: str) -> str:
    video_id: str = served.client.post("/v1/videos", json=BODY | {"prompt": prompt}).json()["id"]
    return f"/v1/videos/{video_id}"


@pytest.mark.parametrize("end", ["delete", "stop"])
def test_a_stream_is_cut_when_the_render_is(served: Served, end: str) -> None:
    path = create(served, "hang")

    with served.client.stream("GET", f"{path}/content?stream=true") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"the beginning"
        if end == "delete":
            assert served.client.delete(path).status_code == 200
        else:
            served.signal()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)


def test_a_stream_is_cut_when_the_worker_dies(served: Served) -> None:
    path = create(served, "hang")

    with served.client.stream("GET", f"{path}/content?stream=true") as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"the beginning"
        worker_of(PROGRAM).kill()
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    assert served.client.get(path).json()["status"] == "failed"
    again = served.client.get(f"{path}/content?stream=true")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "video_not_finished")
    assert "the worker process ended" in again.json()["detail"]


def test_a_render_that_fails_before_its_stream_is_watched_is_a_conflict(served: Served) -> None:
    path = create(served, "fail")
    served.told(Progress)

    with served.client.stream("GET", f"{path}/events") as events:
        list(events.iter_lines())
    response = served.client.get(f"{path}/content?stream=true")

    assert response.status_code == 409
    assert "as it was told" in response.json()["detail"]
    assert [path.name for path in served.temp_dir.rglob("data/videos/*/*")] == []
