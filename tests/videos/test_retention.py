"""Retention of finished videos by age and size; unfinished ones are always kept."""

import asyncio
from pathlib import Path

import pytest

from server.answers.video import VideoAnswer
from server.routes.video_events import event_stream
from server.videos.active import Snapshot
from server.videos.errors import VideoNotFound
from server.videos.retention import Retention, Sweeper
from server.videos.store import Finished
from server.videos.video import VideoStatus
from tests.jobs.conftest import Dispatching
from tests.videos.library import FOREVER, Clock, ids, library, make


def finished(*sizes: int) -> list[Finished]:
    """Return videos of these sizes, finished one per second."""
    return [Finished(str(second), second, size) for second, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("max_bytes", "surplus"),
    [(100, []), (50, []), (40, ["0"]), (20, ["0", "1"]), (0, ["0", "1"])],
)
def test_the_oldest_videos_are_removed_first_and_the_newest_clip_stays(max_bytes: int, surplus: list[str]) -> None:
    retention = Retention(10, max_bytes)

    assert list(retention.surplus(finished(10, 20, 20, 0), total_bytes=50, newest_id="2")) == surplus


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data" / "videos").iterdir())


async def test_expired_videos_are_removed_and_unfinished_ones_stay(
    dispatching: Dispatching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.videos.retention.SWEEP_INTERVAL_S", 0.01)
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
        await rig.until(lambda: folders(tmp_path) == [running.id, waiting.id])

        await videos.delete(running.id, None)
        assert (await videos.wait(waiting.id)).completed_at == clock.now


async def test_videos_beyond_the_size_limit_are_removed_oldest_first(dispatching: Dispatching, tmp_path: Path) -> None:
    clock = Clock()
    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", Retention(1e9, 25), clock) as videos:
        made = []
        for _ in range(4):
            clock.now += 1
            made.append(await make(videos, "ten bytes."))
            await videos.wait(made[-1].id)

        kept = [video.id for video in made[2:]]
        await rig.until(lambda: folders(tmp_path) == kept)
        assert await ids(videos) == kept
        clock.now += 1
        large = await make(videos, "x" * 1000)
        await videos.wait(large.id)
        await rig.until(lambda: folders(tmp_path) == [large.id])
        assert await ids(videos) == [large.id]


async def test_sweeps_at_the_same_time_remove_no_more_than_one_would(dispatching: Dispatching, tmp_path: Path) -> None:
    clock = Clock()
    async with dispatching("behaves") as rig, library(rig, tmp_path / "data", FOREVER, clock) as videos:
        made = []
        for _ in range(12):
            clock.now += 1
            made.append(await make(videos, "ten bytes."))
            await videos.wait(made[-1].id)
        sweeper = Sweeper(videos._store, videos._data, videos._rendering, Retention(1e9, 65), clock)

        async def sweep_after(calls: int) -> None:
            """Start between the calls of the other sweeps."""
            for _ in range(calls):
                await videos.page(None, None, 1, newest_first=True)
            await sweeper.sweep()

        await asyncio.gather(*map(sweep_after, range(8)))
        assert await ids(videos) == [video.id for video in made[6:]]


async def test_concurrent_deletions_delete_a_video_once(dispatching: Dispatching, tmp_path: Path) -> None:
    async with dispatching("cancels") as rig, library(rig, tmp_path / "data", FOREVER, Clock()) as videos:
        video = await make(videos, "long")
        outcomes = await asyncio.gather(*(videos.delete(video.id, None) for _ in range(3)), return_exceptions=True)

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "VideoNotFound", "VideoNotFound"]
        assert rig.dispatcher.status.running == 0


async def test_a_stream_without_events_is_kept_alive(dispatching: Dispatching, tmp_path: Path) -> None:
    def ended(snapshot: Snapshot) -> VideoAnswer:
        raise AssertionError("the stream is left before the video ends")

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
