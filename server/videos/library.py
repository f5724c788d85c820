"""All videos of this server, for every caller. Rendering and removal are in `rendering` and `retention`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from weakref import WeakValueDictionary

from server.jobs.dispatcher import Dispatcher
from server.jobs.job import Job
from server.jobs.live_clip import LiveClip
from server.jobs.previews import PreviewFeed
from server.process.run_values import RunValues
from server.videos.active import Snapshot
from server.videos.data_dir import DataDir
from server.videos.errors import IdempotencyError, StoreError, VideoNotFound
from server.videos.recovery import recover_videos
from server.videos.rendering import Prepare, Rendering
from server.videos.retention import Retention, Sweeper
from server.videos.store import VideoStore
from server.videos.variants import Variant, Variants
from server.videos.video import Idempotency, Video, may_be_id


class Videos:
    """The videos of all owners; each owner finds only its own."""

    def __init__(self, dispatcher: Dispatcher, data_dir: DataDir, retention: Retention, run_values: RunValues) -> None:
        self._data, self._clock = data_dir, run_values.now_s
        self._store = VideoStore(data_dir.database, data_dir.folder)
        self._rendering = Rendering(dispatcher, self._store, data_dir, run_values, self._on_finished)
        self._sweeper = Sweeper(self._store, data_dir, self._rendering, retention, self._clock)
        self._variants = Variants(self._store, data_dir)
        self._turns: WeakValueDictionary[tuple[str | None, str], asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """Take over what an earlier server left. Waiting videos are rendered once a worker is ready."""
        await self._store.open()
        async for video in recover_videos(self._store, self._data, self._clock()):
            self._rendering.restore(video)
        self._data.remove_unknown(await self._store.ids())
        self._sweeper.start()

    def on_ready(self) -> None:
        """Render the waiting videos: a worker is ready."""
        self._rendering.on_ready()

    def release(self) -> None:
        """End the streams of unfinished videos, and stop making variants of finished ones: the server is stopping."""
        self._rendering.release()
        self._variants.stop()

    async def close(self) -> None:
        """Close everything once every job has ended. Videos that were not rendered wait for the next server."""
        self.release()
        await self._sweeper.close()
        await self._rendering.wait_until_recorded()
        await self._store.close()
        self._data.close()

    @asynccontextmanager
    async def once(self, owner: str | None, idempotency: Idempotency | None) -> AsyncIterator[Video | None]:
        """Yield the video that the same request created earlier, or None.

        The caller creates the video inside the context; the same request waits until the context ends. Raises
        IdempotencyError if the key was used for another request.
        """
        if idempotency is None:
            yield None
            return
        turn = self._turns.setdefault((owner, idempotency.key), asyncio.Lock())
        async with turn:
            found = await self._store.find(owner, idempotency.key)
            if found is not None and self._sweeper.is_outdated(found):
                await self._sweeper.remove(found.id)
                found = None
            if found is not None and found.idempotency != idempotency:
                raise IdempotencyError("this Idempotency-Key was used for another request; each request needs its own")
            yield found

    async def create(self, prepare: Prepare, owner: str | None, idempotency: Idempotency | None) -> Video:
        """Create a video that is queued and on record.

        Raises QueueFull, NotReady, DataDirError, StoreError, and what `prepare` raises.
        """
        return await self._rendering.create(prepare, owner, idempotency)

    async def get(self, video_id: str, owner: str | None) -> Snapshot:
        """Return the video as it is now. Raises VideoNotFound."""
        active = self._rendering.active(video_id)
        video = active.video if active is not None else await self._store.get(video_id)
        if video is None or video.owner != owner or self._sweeper.is_outdated(video):
            raise VideoNotFound(video_id)
        return self._snapshot(video)

    async def page(self, owner: str | None, after: str | None, limit: int, newest_first: bool) -> list[Snapshot]:
        """Return the owner's videos after `after`, the id of the last video on the previous page.

        Return an empty list if no video can ever have had that id.
        """
        if after is not None and not may_be_id(after, self._clock()):
            return []
        videos = await self._store.page(owner, after, limit, newest_first, self._sweeper.ended_after)
        snapshots = map(self._snapshot, videos)
        return [snapshot for snapshot in snapshots if not self._sweeper.is_outdated(snapshot.video)]

    async def delete(self, video_id: str, owner: str | None) -> None:
        """Cancel the video, and delete its record and files; it cannot be found from then on. Raises VideoNotFound."""
        await self.get(video_id, owner)
        if not await self._sweeper.remove(video_id):
            raise VideoNotFound(video_id)

    def job(self, video_id: str) -> Job | None:
        """Return the current job that renders it, or None if there is none."""
        active = self._rendering.active(video_id)
        return active.job if active is not None else None

    async def wait(self, video_id: str) -> Video:
        """Wait until the video is finished, and return its last record.

        Raises NotReady if it has to wait for another worker, VideoNotFound if it is deleted.
        """
        active = self._rendering.active(video_id)
        if active is not None:
            return await active.wait()
        video = await self._store.get(video_id)
        if video is None:
            raise VideoNotFound(video_id)
        return video

    async def watch(self, video_id: str, owner: str | None, *, previews: bool = True) -> AsyncGenerator[Snapshot, None]:
        """Yield the video as it is now, then after each change; intermediate changes may be skipped.

        previews: whether to have previews made, which the snapshots then hold.

        The last snapshot is the finished video, unless the server stops. Raises VideoNotFound if there is no such video
        or it is deleted.
        """
        active = self._rendering.active(video_id)
        snapshot = await self.get(video_id, owner)
        if active is not None and snapshot.progress is not None:
            with active.previews.watching() if previews else nullcontext():
                async for _ in active.progress.values():
                    yield self._rendering.snapshot(active)
            if active.finished.done():
                yield Snapshot(active.finished.result())
        else:
            yield snapshot

    def path(self, video: Video) -> Path:
        return video.path(self._data.folder(video.id))

    async def variant_path(self, video: Video, variant: Variant) -> Path:
        """Return the file of a variant, which is made if it does not exist. Raises VideoNotFound or NotReady."""
        return await self._variants.path(video, variant)

    def previews(self, video_id: str) -> PreviewFeed | None:
        """Return the previews of an unfinished video; None if it is finished or not there."""
        active = self._rendering.active(video_id)
        return active.previews if active is not None else None

    def live(self, video_id: str) -> LiveClip | None:
        """Return the clip of an unfinished video, as it is decoded; None if it is finished or not there."""
        active = self._rendering.active(video_id)
        return active.live if active is not None else None

    def read(self, video: Video) -> bytes:
        """Return the contents of its file. Raises VideoNotFound if the file has been removed meanwhile."""
        try:
            return self.path(video).read_bytes()
        except FileNotFoundError as exc:
            raise VideoNotFound(video.id) from exc

    def expires_at(self, video: Video) -> float | None:
        return self._sweeper.expires_at(video)

    def _snapshot(self, video: Video) -> Snapshot:
        active = self._rendering.active(video.id)
        return Snapshot(video) if active is None else self._rendering.snapshot(active)

    async def _on_finished(self) -> None:
        with suppress(StoreError):
            await self._sweeper.sweep()
