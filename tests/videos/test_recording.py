"""A database that cannot be written for a while: no video is lost, and every status is right."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipelines.media.muxer import mux
from server.videos.retention import Retention
from server.videos.video import Video, VideoStatus
from tests.jobs.conftest import Dispatching
from tests.videos.library import FOREVER, Clock, ids, library, make

Fault = Callable[[Path], AbstractContextManager[None]]


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Lock the database as another program does."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def full(database: Path) -> Iterator[None]:
    """Keep the write-ahead log from growing, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = database.with_name(database.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.videos.database.BUSY_TIMEOUT_S", 0.01)
    monkeypatch.setattr("server.videos.recording.RETRY_BACKOFF_S", (0.01,))


def status_on_record(data: Path, video: Video) -> str:
    with closing(sqlite3.connect(data / "videos.sqlite3")) as connection:
        (status,) = connection.execute("SELECT status FROM videos WHERE id = ?", (video.id,)).fetchone()
    return str(status)


@pytest.mark.parametrize("fault", [locked, full])
async def test_a_video_that_cannot_be_recorded_is_kept_in_memory_until_it_can(
    fault: Fault, dispatching: Dispatching, tmp_path: Path
) -> None:
    data, clock = tmp_path / "data", Clock()
    async with (
        dispatching("obeys", fifos=["orders-auto"]) as rig,
        library(rig, data, Retention(1e9, 15), clock) as videos,
    ):
        video, following = await make(videos, "ten bytes."), await make(videos, "10 more...")
        with fault(data / "videos.sqlite3"):
            rig.order("orders-auto", b"ff")
            assert (await videos.wait(video.id)).status is VideoStatus.COMPLETED
            assert (await videos.wait(following.id)).status is VideoStatus.COMPLETED
            for each in (video, following):
                assert (await videos.get(each.id, None)).video.status is VideoStatus.COMPLETED
            assert videos.read(following) == b"10 more..."
            assert await ids(videos) == [video.id, following.id]
            assert status_on_record(data, following) != "completed"

        await rig.until(lambda: status_on_record(data, following) == "completed")
        clock.now += 1
        last = await make(videos, "and ten...")
        rig.order("orders-auto", b"f")
        await videos.wait(last.id)
        await rig.until(lambda: [folder.name for folder in (data / "videos").iterdir()] == [last.id])
        assert await ids(videos) == [last.id]


async def test_a_video_that_is_only_in_memory_expires(dispatching: Dispatching, tmp_path: Path) -> None:
    data, clock = tmp_path / "data", Clock()
    async with (
        dispatching("obeys", fifos=["orders-auto"]) as rig,
        library(rig, data, Retention(100, 10**9), clock) as videos,
    ):
        video = await make(videos, "ten bytes.")
        with locked(data / "videos.sqlite3"):
            rig.order("orders-auto", b"f")
            await videos.wait(video.id)
            clock.now += 100
            assert await ids(videos) == []


def write_clip(data: Path, video: Video) -> Path:
    path = video.path(data / "videos" / video.id)
    mux(path, iter([np.zeros((9, 256, 256, 3), np.uint8)]), video.request.spec, None)
    return path


@pytest.mark.parametrize("is_whole", [True, False])
async def test_the_next_server_trusts_the_file_over_the_record(
    is_whole: bool, dispatching: Dispatching, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with dispatching("obeys", fifos=["orders-auto"]) as rig:
        async with library(rig, data, FOREVER, Clock()) as videos:
            video = await make(videos, "a red fox")
            lock = sqlite3.connect(data / "videos.sqlite3", isolation_level=None)
            await rig.until(lambda: status_on_record(data, video) == "in_progress")
            lock.execute("BEGIN EXCLUSIVE")
            rig.order("orders-auto", b"f")
            assert (await videos.wait(video.id)).status is VideoStatus.COMPLETED
        lock.close()
    assert status_on_record(data, video) == "in_progress"
    path = write_clip(data, video)
    clip = path.read_bytes()
    if not is_whole:
        path.write_bytes(clip[:-100])

    async with dispatching("behaves") as rig, library(rig, data, FOREVER, Clock()) as videos:
        found = (await videos.get(video.id, None)).video
        if is_whole:
            assert (found.status, found.size_bytes) == (VideoStatus.COMPLETED, len(clip))
            assert videos.read(found) == clip
        else:
            assert found.failure is not None
            assert found.failure.code == "interrupted"
            assert list(path.parent.iterdir()) == []
