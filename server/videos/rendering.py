"""Create, restore and cancel unfinished videos, and record how their jobs go. Independent of owners and retention."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from server.jobs.dispatcher import Dispatcher
from server.jobs.job import Job, JobError, NotReady
from server.jobs.live_clip import LiveClip
from server.jobs.progress import JobProgress
from server.process.run_values import RunValues
from server.videos.active import ActiveVideo, Snapshot
from server.videos.data_dir import DataDir
from server.videos.errors import VideoNotFound
from server.videos.prepared import PreparedRequest
from server.videos.recording import Recorder
from server.videos.store import VideoStore
from server.videos.video import Failure, Idempotency, Video, VideoIds

log = logging.getLogger("ltx23.videos")

LOST_CLIP = Failure("lost", "its file cannot be read; the server's log has the reason")

# Prepares the request, and writes its images into the given folder.
Prepare = Callable[[Path], Awaitable[PreparedRequest]]


class Rendering:
    """The unfinished videos and their jobs.

    on_finished: awaited after each finished video.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        store: VideoStore,
        data_dir: DataDir,
        run_values: RunValues,
        on_finished: Callable[[], Awaitable[None]],
    ) -> None:
        self._dispatcher, self._store, self._data, self._run_values = dispatcher, store, data_dir, run_values
        self._ids = VideoIds()
        self._active: dict[str, ActiveVideo] = {}
        self._recorder = Recorder(self._active, store)
        self._on_finished = on_finished
        self._tasks: set[asyncio.Task[None]] = set()

    def restore(self, video: Video) -> None:
        """Let a video of an earlier server wait for a worker."""
        self._active[video.id] = self._new(video)

    def on_ready(self) -> None:
        """Give each video that has no job a new one: a worker is ready."""
        for active in self._active.values():
            if active.job is None:
                active.job = self._job(active)
                self._dispatcher.resume(active.job)
                self._follow(active, active.job)

    def release(self) -> None:
        """End the streams of all videos: the server is stopping."""
        for active in self._active.values():
            active.release()

    async def wait_until_recorded(self) -> None:
        """Wait until every video is on record. Call it once every job has ended."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._recorder.close()

    def unrecorded(self) -> list[Video]:
        """Return the finished videos whose records do not say so yet."""
        behind = self._recorder.behind
        videos = [active.video for video_id, active in behind.items() if self._active.get(video_id) is active]
        return [video for video in videos if video.completed_at is not None]

    async def create(self, prepare: Prepare, owner: str | None, idempotency: Idempotency | None) -> Video:
        """Create a video that is queued and on record.

        Raises QueueFull, NotReady, DataDirError, StoreError, and what `prepare` raises.
        """
        now = self._run_values.created_s()
        video_id = self._ids.draw(now, self._run_values.id_suffix())
        folder = self._data.create_folder(video_id)
        try:
            request = await prepare(folder)
            active = self._new(Video(video_id, owner, request, now, idempotency=idempotency))
            active.job = self._job(active)
            self._dispatcher.submit(active.job)
            await self._insert(active, active.job)
        except BaseException:
            await asyncio.to_thread(self._data.remove_folder, video_id)
            raise
        self._follow(active, active.job)
        return active.video

    async def cancel(self, video_id: str) -> None:
        """Cancel the video and wait until its job has ended; callers who wait for it get VideoNotFound.

        Does nothing if there is no such unfinished video.
        """
        active = self._active.pop(video_id, None)
        if active is None:
            return
        active.fail(VideoNotFound(video_id))
        if active.job is not None:
            self._dispatcher.cancel(active.job)
            await asyncio.wait([active.job.ended])

    def active(self, video_id: str) -> ActiveVideo | None:
        return self._active.get(video_id)

    def snapshot(self, active: ActiveVideo) -> Snapshot:
        if active.finished.done():
            return Snapshot(active.video)
        seconds_left = self._dispatcher.seconds_left(active.job) if active.job is not None else None
        return Snapshot(active.video, active.progress.value, seconds_left, active.previews.value)

    def _new(self, video: Video) -> ActiveVideo:
        return ActiveVideo(video, LiveClip(video.live_path(self._data.folder(video.id))))

    def _job(self, active: ActiveVideo) -> Job:
        video = active.video
        path = video.path(self._data.folder(video.id))
        return Job(
            video.id, video.request.spec, path, video.owner, active.progress, live=active.live, previews=active.previews
        )

    async def _insert(self, active: ActiveVideo, job: Job) -> None:
        """Insert the record; cancel the job if that fails."""
        self._active[active.video.id] = active
        try:
            await self._store.insert(active.video)
        except BaseException:
            del self._active[active.video.id]
            self._dispatcher.cancel(job)
            await asyncio.wait([job.ended])
            raise

    def _follow(self, active: ActiveVideo, job: Job) -> None:
        task = asyncio.create_task(self._record_changes(active, job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _record_changes(self, active: ActiveVideo, job: Job) -> None:
        """Record each change of the video from its job's start to its end."""
        begun = asyncio.create_task(job.begun.wait())
        changes: list[asyncio.Future[Any]] = [begun, job.ended]
        await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if job.begun.is_set():
            await self._recorder.record(active, active.video.begun())
        await asyncio.wait([job.ended])
        try:
            await self._finish(active, await self._completed(active.video, job))
        except OSError as exc:
            log.error("%s: its clip cannot be read: %s", active.video.id, exc)
            await self._finish(active, self._failed(active.video, LOST_CLIP))
        except NotReady:
            active.job = None
            active.progress.set(JobProgress())
            await self._recorder.record(active, active.video.queued())
        except JobError as exc:
            await self._finish(active, self._failed(active.video, Failure.of(exc)))

    async def _completed(self, video: Video, job: Job) -> Video:
        """Return the video with the size and timings of its clip. Raises JobError or OSError if it has none."""
        job.ended.result()
        stat = await asyncio.to_thread(job.path.stat)
        values = self._run_values
        return video.completed(
            values.ended_s(video.created_at),
            stat.st_size,
            values.timings_s(video.request.timings_s(job)),
            values.memory_bytes(job.peak_memory_bytes),
        )

    def _failed(self, video: Video, failure: Failure) -> Video:
        return video.failed(self._run_values.ended_s(video.created_at), failure)

    async def _finish(self, active: ActiveVideo, video: Video) -> None:
        """Record the finished video, then publish it.

        The record comes first so that a video reported as finished survives a crash, unless its record cannot be
        written.
        """
        if self._active.get(video.id) is not active:
            return
        await self._recorder.record(active, video)
        active.finish(video)
        await asyncio.to_thread(self._data.remove_work_files, video.id)
        await self._on_finished()
