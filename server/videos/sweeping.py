"""Videos go away: what is outdated now and then, what is deleted at once. From the records first, then their files."""

import asyncio
import logging
from collections.abc import Callable

from server.videos.data_dir import DataDir
from server.videos.errors import StoreError
from server.videos.rendering import Rendering
from server.videos.retention import Retention
from server.videos.store import VideoStore
from server.videos.video import Video

log = logging.getLogger("ltx23.videos")

SWEEP_INTERVAL_S = 60.0


class Sweeper:
    """`clock` gives Unix seconds."""

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

    async def sweep(self) -> None:
        """Away with what is outdated."""
        for video_id in self._retention.outdated(await self._store.finished(), self._clock()):
            await self.remove(video_id)

    async def remove(self, video_id: str) -> bool:
        """Whether it was there. From the records first, so that a crash leaves no more than files to be removed."""
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
