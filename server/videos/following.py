"""Follow a job from its start to its end, and record each change of its video. Does not start or cancel jobs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from server.jobs.job import Job, JobError, NotReady
from server.jobs.progress import JobProgress
from server.videos.data_dir import DataDir
from server.videos.live import Live
from server.videos.recording import Recorder
from server.videos.video import Failure, Video

log = logging.getLogger("ltx23.videos")

LOST_CLIP = Failure("lost", "its file cannot be read; the server's log has the reason")


class Follower:
    """Records the changes of videos.

    live: the videos that are served from memory, by id. on_finished: awaited after each finished video.
    """

    def __init__(
        self,
        live: dict[str, Live],
        recorder: Recorder,
        data_dir: DataDir,
        clock: Callable[[], float],
        on_finished: Callable[[], Awaitable[None]],
    ) -> None:
        self._live, self._recorder, self._data, self._clock = live, recorder, data_dir, clock
        self._on_finished = on_finished

    async def follow(self, live: Live, job: Job) -> None:
        begun = asyncio.create_task(job.begun.wait())
        turns: list[asyncio.Future[Any]] = [begun, job.ended]
        await asyncio.wait(turns, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if job.begun.is_set():
            await self._recorder.record(live, live.video.begun())
        await asyncio.wait([job.ended])
        try:
            await self._finish(live, await self._completed(live.video, job))
        except OSError as exc:
            log.error("%s: its clip cannot be read: %s", live.video.id, exc)
            await self._finish(live, live.video.failed(self._clock(), LOST_CLIP))
        except NotReady:
            live.job = None
            live.progress.set(JobProgress())
            await self._recorder.record(live, live.video.queued())
        except JobError as exc:
            await self._finish(live, live.video.failed(self._clock(), Failure.of(exc)))

    async def _completed(self, video: Video, job: Job) -> Video:
        """Return the video with the size and timings of its clip. Raises JobError or OSError if it has none."""
        job.ended.result()
        stat = await asyncio.to_thread(job.path.stat)
        return video.completed(self._clock(), stat.st_size, video.request.timings_s(job), job.peak_memory_bytes)

    async def _finish(self, live: Live, video: Video) -> None:
        """Record the finished video, then publish it.

        The record comes first so that a video reported as finished survives a crash, unless its record cannot be
        written.
        """
        if self._live.get(video.id) is not live:
            return
        await self._recorder.record(live, video)
        live.finish(video)
        await asyncio.to_thread(self._data.remove_images, video.id)
        await self._on_finished()
