"""All videos of this server: made, looked up, deleted, kept for a time, and taken up again after a restart."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from server.dispatcher import Dispatcher
from server.jobs import Job, JobError, NotReady
from server.orders import Order
from server.progress import JobProgress
from server.videos.data_dir import DataDir
from server.videos.errors import IdempotencyError, StoreError, VideoNotFound
from server.videos.live import Live, Snapshot
from server.videos.retention import Retention
from server.videos.store import VideoStore
from server.videos.video import INTERRUPTED, Failure, Idempotency, Video, VideoIds, VideoStatus

log = logging.getLogger("ltx23.videos")

SWEEP_INTERVAL_S = 60.0
LOST_IMAGES = Failure("lost", "the server ended before it was rendered, and its images are gone; send it again")
LOST_CLIP = Failure("lost", "its file cannot be read; the server's log has the reason")

# Writes the images into the folder that it is given.
PrepareOrder = Callable[[Path], Awaitable[Order]]


class Videos:
    """Everything that belongs to one owner is found by that owner alone. `clock` gives Unix seconds."""

    def __init__(
        self, dispatcher: Dispatcher, data_dir: DataDir, retention: Retention, clock: Callable[[], float] = time.time
    ) -> None:
        self._dispatcher, self._data, self._retention, self._clock = dispatcher, data_dir, retention, clock
        self._store = VideoStore(data_dir.database, data_dir.folder)
        self._ids = VideoIds()
        self._live: dict[str, Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._turns: WeakValueDictionary[tuple[str | None, str], asyncio.Lock] = WeakValueDictionary()

    async def start(self) -> None:
        """What an earlier server left: what waits is taken up again once a worker is ready, what ran has failed."""
        await self._store.open()
        for video_id in await self._store.unfinished_ids():
            await self._restore(video_id)
        self._data.remove_unknown(await self._store.ids())
        self._sweeper = asyncio.create_task(self._sweep_forever(), name="sweep")

    def on_ready(self) -> None:
        """A worker is ready: whatever has no job gets one."""
        for live in self._live.values():
            if live.job is None:
                live.job = self._job(live)
                self._dispatcher.resume(live.job)
                self._spawn(self._follow(live, live.job))

    def release(self) -> None:
        """Nothing more will be heard of what is not finished: who listens is told so."""
        for live in self._live.values():
            live.progress.close()

    async def close(self) -> None:
        """Once every job has ended. What was not rendered waits for the next server."""
        self.release()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._store.close()
        self._data.close()

    @asynccontextmanager
    async def once(self, owner: str | None, idempotency: Idempotency | None) -> AsyncIterator[Video | None]:
        """The video that this request made before. Who makes it, makes it inside: the same request waits meanwhile.

        Raises IdempotencyError when the key was used for another request.
        """
        if idempotency is None:
            yield None
            return
        turn = self._turns.setdefault((owner, idempotency.key), asyncio.Lock())
        async with turn:
            found = await self._store.find(owner, idempotency.key)
            if found is not None and self._is_outdated(found):
                await self._remove(found.id)
                found = None
            if found is not None and found.idempotency != idempotency:
                raise IdempotencyError("this Idempotency-Key was used for another request; each request needs its own")
            yield found

    async def create(self, prepare: PrepareOrder, owner: str | None, idempotency: Idempotency | None) -> Video:
        """Queued and on record. Raises QueueFull, NotReady, DataDirError, StoreError, and what `prepare` raises."""
        now = self._clock()
        video_id = self._ids.draw(now)
        folder = self._data.create_folder(video_id)
        try:
            order = await prepare(folder)
            live = Live(Video(video_id, owner, order, now, idempotency=idempotency))
            live.job = self._job(live)
            self._dispatcher.submit(live.job)
            await self._insert(live, live.job)
        except BaseException:
            await asyncio.to_thread(self._data.remove_folder, video_id)
            raise
        self._spawn(self._follow(live, live.job))
        return live.video

    async def get(self, video_id: str, owner: str | None) -> Snapshot:
        """Raises VideoNotFound."""
        live = self._live.get(video_id)
        video = live.video if live is not None else await self._store.get(video_id)
        if video is None or video.owner != owner or self._is_outdated(video):
            raise VideoNotFound(video_id)
        return self._snapshot(video)

    async def page(self, owner: str | None, after: str | None, limit: int, newest_first: bool) -> list[Snapshot]:
        await self.sweep()
        videos = await self._store.page(owner, after, limit, newest_first)
        return [self._snapshot(video) for video in videos]

    async def delete(self, video_id: str, owner: str | None) -> None:
        """Cancelled, forgotten, and its files removed; nobody finds it from the start. Raises VideoNotFound."""
        await self.get(video_id, owner)
        if not await self._remove(video_id):
            raise VideoNotFound(video_id)

    async def wait(self, video_id: str) -> Video:
        """Its last record. Raises NotReady when it has to wait for another worker, VideoNotFound when it is deleted."""
        live = self._live.get(video_id)
        if live is not None:
            return await live.wait()
        video = await self._store.get(video_id)
        if video is None:
            raise VideoNotFound(video_id)
        return video

    def job(self, video_id: str) -> Job | None:
        """The present attempt to render it; None where there is none."""
        live = self._live.get(video_id)
        return live.job if live is not None else None

    async def watch(self, video_id: str, owner: str | None) -> AsyncIterator[Snapshot]:
        """As it is now, then whenever it has changed, the newest only. The last one is finished, unless the server
        stops. Raises VideoNotFound when there is none, or when it is deleted.
        """
        live = self._live.get(video_id)
        snapshot = await self.get(video_id, owner)
        if live is not None and snapshot.progress is not None:
            async for _ in live.progress.values():
                yield self._live_snapshot(live)
            if live.finished.done():
                yield Snapshot(live.finished.result())
        else:
            yield snapshot

    def path(self, video: Video) -> Path:
        return video.path(self._data.folder(video.id))

    def read(self, video: Video) -> bytes:
        """Its file. Raises VideoNotFound when it has been removed meanwhile."""
        try:
            return self.path(video).read_bytes()
        except FileNotFoundError as exc:
            raise VideoNotFound(video.id) from exc

    def expires_at(self, video: Video) -> float | None:
        return None if video.completed_at is None else video.completed_at + self._retention.ttl_s

    async def sweep(self) -> None:
        """Away with what is outdated."""
        for video_id in self._retention.outdated(await self._store.finished(), self._clock()):
            await self._remove(video_id)

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await self.sweep()
            except StoreError as exc:
                log.error("videos that are outdated stay: %s", exc)
            await asyncio.sleep(SWEEP_INTERVAL_S)

    def _is_outdated(self, video: Video) -> bool:
        expires_at = self.expires_at(video)
        return expires_at is not None and expires_at <= self._clock()

    def _snapshot(self, video: Video) -> Snapshot:
        live = self._live.get(video.id)
        return Snapshot(video) if live is None else self._live_snapshot(live)

    def _live_snapshot(self, live: Live) -> Snapshot:
        if live.finished.done():
            return Snapshot(live.video)
        seconds_left = self._dispatcher.seconds_left(live.job) if live.job is not None else None
        return Snapshot(live.video, live.progress.value, seconds_left)

    def _job(self, live: Live) -> Job:
        video = live.video
        return Job(video.id, video.order.spec, self.path(video), video.owner, live.progress)

    async def _insert(self, live: Live, job: Job) -> None:
        """A job whose video cannot be put on record is not rendered."""
        self._live[live.video.id] = live
        try:
            await self._store.insert(live.video)
        except BaseException:
            del self._live[live.video.id]
            self._dispatcher.cancel(job)
            await asyncio.wait([job.ended])
            raise

    async def _restore(self, video_id: str) -> None:
        try:
            video = await self._store.get(video_id)
        except StoreError as exc:
            log.error("a video is forgotten: %s", exc)
            await self._store.delete(video_id)
            return
        assert video is not None
        if video.status is VideoStatus.IN_PROGRESS:
            await self._store.update(video.failed(self._clock(), INTERRUPTED))
        elif not all(keyframe.path.exists() for keyframe in video.order.spec.keyframes):
            await self._store.update(video.failed(self._clock(), LOST_IMAGES))
        else:
            self._live[video_id] = Live(video)

    async def _follow(self, live: Live, job: Job) -> None:
        """Each turn of the job's life goes on record."""
        begun = asyncio.create_task(job.begun.wait())
        turns: list[asyncio.Future[Any]] = [begun, job.ended]
        await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if job.begun.is_set():
            await self._record(live, live.video.begun())
        await asyncio.wait([job.ended])
        try:
            await self._finish(live, await self._completed(live.video, job, job.ended.result()))
        except OSError as exc:
            log.error("%s: its clip cannot be read: %s", live.video.id, exc)
            await self._finish(live, live.video.failed(self._clock(), LOST_CLIP))
        except NotReady:
            live.job = None
            live.progress.set(JobProgress())
            await self._record(live, live.video.queued())
        except JobError as exc:
            await self._finish(live, live.video.failed(self._clock(), Failure.of(exc)))

    async def _completed(self, video: Video, job: Job, timings_s: Mapping[str, float]) -> Video:
        stat = await asyncio.to_thread(job.path.stat)
        timings_s = {"queue": job.queued_s, "enhance": video.order.enhance_s, **timings_s}
        return video.completed(self._clock(), stat.st_size, timings_s)

    async def _finish(self, live: Live, video: Video) -> None:
        """On record first: what is said to be there is there after a crash too."""
        if self._live.get(video.id) is not live:
            return
        if await self._record(live, video):
            self._live.pop(video.id, None)
        live.finish(video)
        await asyncio.to_thread(self._data.remove_images, video.id)
        with suppress(StoreError):
            await self.sweep()

    async def _record(self, live: Live, video: Video) -> bool:
        """Whether it could be written. Where not, this server alone knows, for as long as it runs."""
        live.video = video
        try:
            await self._store.update(video)
        except StoreError as exc:
            log.error("%s is %s, which cannot be put on record: %s", video.id, video.status, exc)
            return False
        return True

    async def _remove(self, video_id: str) -> bool:
        """Whether it was there. From the records first, so that a crash leaves no more than files to be removed."""
        was_there = await self._store.delete(video_id)
        live = self._live.pop(video_id, None)
        if live is not None:
            live.vanish(VideoNotFound(video_id))
            if live.job is not None:
                self._dispatcher.cancel(live.job)
                await asyncio.wait([live.job.ended])
        await asyncio.to_thread(self._data.remove_folder, video_id)
        return was_there

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
