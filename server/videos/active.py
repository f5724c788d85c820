"""A video that is not finished, with its progress and job, which are not on record."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from server.jobs.job import Job, NotReady
from server.jobs.live_clip import LiveClip
from server.jobs.previews import Preview, PreviewFeed
from server.jobs.progress import JobProgress, ProgressFeed
from server.videos.errors import VideosError
from server.videos.video import Video, VideoStatus


@dataclass(frozen=True)
class Snapshot:
    """A video as it is now.

    progress: None once it is finished. seconds_left: None if unknown. preview: the newest one, if any was made.
    """

    video: Video
    progress: JobProgress | None = None
    seconds_left: float | None = None
    preview: Preview | None = None

    @property
    def status(self) -> VideoStatus:
        running = self.progress is not None and self.progress.running
        return VideoStatus.IN_PROGRESS if running else self.video.status

    @property
    def percent(self) -> int:
        if self.progress is not None:
            return self.progress.percent
        return 100 if self.video.status is VideoStatus.COMPLETED else 0


@dataclass(eq=False)
class ActiveVideo:
    """An unfinished video.

    live: its clip while it is decoded.
    job: the current job that renders it; None while no worker was ready to take one. finished: its last record.
    """

    video: Video
    live: LiveClip
    progress: ProgressFeed = field(default_factory=ProgressFeed)
    previews: PreviewFeed = field(default_factory=PreviewFeed)
    finished: asyncio.Future[Video] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    job: Job | None = None

    def finish(self, video: Video) -> None:
        self.video = video
        if not self.finished.done():
            self.finished.set_result(video)
        self.live.end(is_whole=video.status is VideoStatus.COMPLETED)
        self.release()

    def fail(self, reason: VideosError) -> None:
        """Fail everyone who waits with `reason`: the video no longer exists."""
        if not self.finished.done():
            self.finished.set_exception(reason)
            self.finished.exception()  # mark it as retrieved: no warning if nobody waits
        self.release()

    def release(self) -> None:
        """End the streams of everyone who watches it, finished or not."""
        self.progress.close()
        self.previews.end()
        self.live.end(is_whole=False)

    async def wait(self) -> Video:
        """Wait until the video is finished, and return its last record.

        Raises NotReady if it has to wait for another worker, VideosError if it is deleted.
        """
        if self.job is None:
            raise NotReady("the model is not ready; the video waits for it")
        ended = self.job.ended
        waiting: list[asyncio.Future[Any]] = [self.finished, ended]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and isinstance(error := ended.exception(), NotReady):
            raise error
        await asyncio.wait([self.finished])
        return self.finished.result()
