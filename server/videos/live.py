"""A video that is not finished, and what is known of it between two of its records."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from server.jobs.job import Job, NotReady
from server.jobs.latest import Latest
from server.jobs.progress import JobProgress
from server.videos.errors import VideosError
from server.videos.video import Video, VideoStatus

RETRY_S = 10


@dataclass(frozen=True)
class Snapshot:
    """A video as it is now. progress: None once it is finished. seconds_left: None where nobody knows."""

    video: Video
    progress: JobProgress | None = None
    seconds_left: float | None = None

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
class Live:
    """job: the present attempt to render it; None while no worker could be asked to. finished: its last record."""

    video: Video
    progress: Latest[JobProgress] = field(default_factory=lambda: Latest(JobProgress()))
    finished: asyncio.Future[Video] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    job: Job | None = None

    def finish(self, video: Video) -> None:
        self.video = video
        if not self.finished.done():
            self.finished.set_result(video)
        self.progress.close()

    def vanish(self, reason: VideosError) -> None:
        """It is none any more."""
        if not self.finished.done():
            self.finished.set_exception(reason)
            self.finished.exception()  # nobody need have waited
        self.progress.close()

    async def wait(self) -> Video:
        """Its last record. Raises NotReady when it has to wait for another worker, and VideosError when it vanishes."""
        if self.job is None:
            raise NotReady("the model is not ready; the video waits for it", RETRY_S)
        ended = self.job.ended
        waiting: list[asyncio.Future[Any]] = [self.finished, ended]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and isinstance(error := ended.exception(), NotReady):
            raise error
        await asyncio.wait([self.finished])
        return self.finished.result()
