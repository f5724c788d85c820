"""How long finished videos are kept: by their age, by their size, never those that are not finished."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.spec import GenerationSpec
from server.messages import Ready
from server.orders import Order
from server.routes.video_events import event_stream
from server.videos.data_dir import DataDir
from server.videos.errors import VideoNotFound
from server.videos.library import Videos
from server.videos.live import Snapshot
from server.videos.retention import Retention
from server.videos.store import Finished
from server.videos.video import Video, VideoStatus
from tests.jobs.conftest import Dispatching, Rig

FOREVER = Retention(ttl_s=1e9, max_bytes=10**9)


def finished(*sizes: int) -> list[Finished]:
    """One a second."""
    return [Finished(str(second), second, size) for second, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("retention", "now", "outdated"),
    [
        (Retention(10, 100), 3, []),
        (Retention(10, 100), 11, ["0", "1"]),
        (Retention(10, 40), 3, ["0"]),
        (Retention(10, 20), 3, ["0", "1"]),
        (Retention(10, 0), 3, ["0", "1"]),
        (Retention(2, 20), 3, ["0", "1"]),
    ],
)
def test_the_oldest_go_first_and_the_newest_clip_stays(retention: Retention, now: float, outdated: list[str]) -> None:
    assert list(retention.outdated(finished(10, 20, 20, 0), now)) == outdated


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def library(rig: Rig, root: Path, retention: Retention, clock: Clock) -> AsyncIterator[Videos]:
    """Over the rig's dispatcher, which is ready; closed once it has stopped."""
    videos = Videos(rig.dispatcher, DataDir(root), retention, clock)
    await videos.start()
    await rig.told(Ready)
    try:
        yield videos
    finally:
        rig.dispatcher.stop()
        await rig.dispatcher.stopped()
        await videos.close()


async def make(videos: Videos, prompt: str) -> Video:
    async def prepare(folder: Path) -> Order:
        return Order(GenerationSpec(prompt, 1, 256, 256, 9, Fraction(24)), prompt)

    return await videos.create(prepare, None, None)


async def ids(videos: Videos) -> list[str]:
    return [snapshot.video.id for snapshot in await videos.page(None, None, 100, newest_first=False)]


async def test_what_is_outdated_is_gone_and_what_is_not_finished_stays(
    dispatching: Dispatching, tmp_path: Path
) -> None:
    clock = Clock()
    async with dispatching("cancels") as rig, library(rig, tmp_path / "data", Retention(10, 10**9), clock) as videos:
        done = await make(videos, "quick")
        assert (await videos.wait(done.id)).status is VideoStatus.COMPLETED
        running, waiting = await make(videos, "long"), await make(videos, "quick")

        clock.now += 9.9
        assert await ids(videos) == [done.id, running.id, waiting.id]
        clock.now += 0.1
        with pytest.raises(VideoNotFound):
            await videos.get(done.id, None)
        assert await ids(videos) == [running.id, waiting.id]
        assert sorted(path.name for path in (tmp_path / "data" / "videos").iterdir()) == [running.id, waiting.id]

        await videos.delete(running.id, None)
        assert (await videos.wait(waiting.id)).completed_at == clock.now


async def test_what_does_not_fit_goes_the_oldest_first(dispatching: Dispatching, tmp_path: Path) -> None:
    clock = Clock()
    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", Retention(1e9, 25), clock) as videos:
        made = []
        for _ in range(4):
            clock.now += 1
            made.append(await make(videos, "ten bytes."))
            await videos.wait(made[-1].id)

        assert await ids(videos) == [video.id for video in made[2:]]
        clock.now += 1
        large = await make(videos, "x" * 1000)
        await videos.wait(large.id)
        assert await ids(videos) == [large.id]
        assert [path.name for path in (tmp_path / "data" / "videos").iterdir()] == [large.id]


async def test_one_that_is_deleted_again_and_again_is_deleted_once(dispatching: Dispatching, tmp_path: Path) -> None:
    async with dispatching("cancels") as rig, library(rig, tmp_path / "data", FOREVER, Clock()) as videos:
        video = await make(videos, "long")
        outcomes = await asyncio.gather(*(videos.delete(video.id, None) for _ in range(3)), return_exceptions=True)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "VideoNotFound", "VideoNotFound"]
        assert rig.dispatcher.status.running == 0


async def test_a_silent_stream_is_kept_alive(dispatching: Dispatching, tmp_path: Path) -> None:
    def ended(snapshot: Snapshot) -> dict[str, object]:
        return {"status": str(snapshot.status)}

    async with dispatching("cancels") as rig, library(rig, tmp_path / "data", FOREVER, Clock()) as videos:
        video = await make(videos, "long")
        seen = []
        async for text in event_stream(video.id, videos.watch(video.id, None), ended, keep_alive_s=0.01):
            seen.append(text)
            if text.startswith(":"):
                break
        await videos.delete(video.id, None)

    assert seen[0].startswith("retry: ")
    assert "event: progress" in seen[1]
    assert seen[-1] == ": keep-alive\n\n"
