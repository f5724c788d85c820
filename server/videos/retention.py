"""How long finished videos are kept, and their removal: outdated ones periodically, deleted ones at once."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from server.videos.data_dir import DataDir
from server.videos.errors import StoreError
from server.videos.rendering import Rendering
from server.videos.store import Finished, VideoStore
from server.videos.video import Video

log = logging.getLogger("ltx23.videos")

SWEEP_INTERVAL_S = 60.0

# How many of the oldest videos are read at a time.
BATCH = 100


@dataclass(frozen=True)
class Retention:
    """The limits up to which finished videos are kept.

    ttl_s: the time that a video is kept after it finished. max_bytes: what the files of all videos may take.
    """

    ttl_s: float
    max_bytes: int

    def surplus(self, oldest_first: Iterable[Finished], total_bytes: int, newest_id: str | None) -> Iterator[str]:
        """Yield the ids of the oldest clips until the rest takes no more than `max_bytes`.

        The newest clip stays, even if it alone is too large: nobody has seen it yet.
        """
        for video in oldest_first:
            if total_bytes <= self.max_bytes:
                return
            if video.size_bytes and video.id != newest_id:
                total_bytes -= video.size_bytes
                yield video.id


class Sweeper:
    """Removes videos.

    clock: returns Unix seconds.
    """

    def __init__(
        self,
        store: VideoStore,
        data_dir: DataDir,
        rendering: Rendering,
        retention: Retention,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._data, self._rendering = store, data_dir, rendering
        self._retention, self._clock = retention, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._sweep_forever(), name="sweep")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def expires_at(self, video: Video) -> float | None:
        return None if video.completed_at is None else video.completed_at + self._retention.ttl_s

    def is_outdated(self, video: Video) -> bool:
        expires_at = self.expires_at(video)
        return expires_at is not None and expires_at <= self._clock()

    @property
    def ended_after(self) -> float:
        """Return the time at or before which a video must have finished to be expired by now."""
        return self._clock() - self._retention.ttl_s

    async def sweep(self) -> None:
        """Remove the expired videos, then the oldest ones until the rest fits."""
        unrecorded = self._rendering.unrecorded()
        expired = [video.id for video in unrecorded if self.is_outdated(video)]
        for video_id in [*expired, *await self._store.expired(self.ended_after)]:
            await self.remove(video_id)
        while surplus := await self._surplus():
            for video_id in surplus:
                await self.remove(video_id)

    async def _surplus(self) -> list[str]:
        """Return some of the videos that exceed the size limit; there may be more."""
        # In this order: a video that another sweep removes meanwhile must not count in the total while it is missing
        # from the oldest ones, because a younger one would be removed in its place.
        oldest = await self._store.oldest(BATCH)
        total_bytes, newest = await self._store.total_bytes(), await self._store.newest()
        # Read after the records, so that a video recorded meanwhile may be missed now but is never counted twice.
        unrecorded = [
            Finished(video.id, video.completed_at, video.size_bytes)
            for video in self._rendering.unrecorded()
            if video.completed_at is not None and video.size_bytes
        ]
        total_bytes += sum(video.size_bytes for video in unrecorded)
        candidates = sorted([*oldest, *unrecorded], key=_by_end)
        newest = max([*unrecorded, *([newest] if newest else [])], key=_by_end, default=None)
        return list(self._retention.surplus(candidates, total_bytes, newest.id if newest else None))

    async def remove(self, video_id: str) -> bool:
        """Remove the video; return whether it existed.

        The record goes first, so that a crash leaves at most files to clean up.
        """
        was_there = await self._store.delete(video_id)
        await self._rendering.cancel(video_id)
        await asyncio.to_thread(self._data.remove_folder, video_id)
        return was_there

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreError as exc:
                log.error("videos that are outdated stay: %s", exc)
            await asyncio.sleep(SWEEP_INTERVAL_S)


def _by_end(video: Finished) -> tuple[float, str]:
    return video.completed_at, video.id
