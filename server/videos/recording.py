"""Record the changes of videos; retry until a record can be written. Independent of jobs."""

import asyncio
import logging
from collections.abc import Mapping

from enhancer.backoff import Backoff
from server.videos.active import ActiveVideo
from server.videos.errors import StoreError
from server.videos.store import VideoStore
from server.videos.video import Video

log = logging.getLogger("ltx23.videos")

# Delays between attempts.
RETRY_BACKOFF_S = (1.0, 5.0, 15.0, 30.0)


class Recorder:
    """Writes records.

    active: the videos that are served from memory, by id; a finished video leaves it once it is on record.
    """

    def __init__(self, active: dict[str, ActiveVideo], store: VideoStore) -> None:
        self._active, self._store = active, store
        self._behind: dict[str, ActiveVideo] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def behind(self) -> Mapping[str, ActiveVideo]:
        """Return the videos whose records are out of date."""
        return self._behind

    async def record(self, active: ActiveVideo, video: Video) -> None:
        """Write the record, or retry later if that fails."""
        active.video = video
        self._behind[video.id] = active
        try:
            await self._write(active)
        except StoreError as exc:
            log.error("%s is %s, which cannot be put on record yet: %s", video.id, video.status, exc)
            self._start_retrying()

    async def close(self) -> None:
        """Write the remaining records if that is possible at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if not await self._write_all():
            log.error("videos that could not be put on record: %s", ", ".join(self._behind))

    def _start_retrying(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._retry(), name="records")

    async def _retry(self) -> None:
        backoff = Backoff(RETRY_BACKOFF_S)
        while self._behind:
            await asyncio.sleep(backoff.fail())
            if await self._write_all():
                backoff.reset()

    async def _write_all(self) -> bool:
        """Write all records and return True, or stop at the first failure and return False."""
        try:
            for active in list(self._behind.values()):
                await self._write(active)
        except StoreError:
            return False
        return True

    async def _write(self, active: ActiveVideo) -> None:
        """Write the newest record, unless the video was deleted meanwhile. Raises StoreError."""
        video = active.video
        if self._active.get(video.id) is active:
            await self._store.update(video)
        if active.video is not video:
            return
        self._behind.pop(video.id, None)
        if video.completed_at is not None and self._active.get(video.id) is active:
            del self._active[video.id]
