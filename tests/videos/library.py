"""A library of videos with a rig's dispatcher and a clock that the test sets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

from pipelines.spec import GenerationSpec
from server.process.run_values import RunValues
from server.videos.data_dir import DataDir
from server.videos.library import Videos
from server.videos.prepared import PreparedRequest
from server.videos.retention import Retention
from server.videos.video import Video
from server.worker.messages import Ready
from tests.jobs.conftest import Rig

FOREVER = Retention(ttl_s=1e9, max_bytes=10**9)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def library(rig: Rig, root: Path, retention: Retention, clock: Clock) -> AsyncIterator[Videos]:
    """Run a library on the rig's dispatcher once it is ready; stop the dispatcher and close the library at the end."""
    videos = Videos(rig.dispatcher, DataDir(root), retention, RunValues(clock))
    await videos.start()
    await rig.told(Ready)
    try:
        yield videos
    finally:
        rig.dispatcher.stop()
        await rig.dispatcher.stopped()
        await videos.close()


async def make(videos: Videos, prompt: str, owner: str | None = None) -> Video:
    async def prepare(folder: Path) -> PreparedRequest:
        return PreparedRequest(GenerationSpec(prompt, 1, 256, 256, 9, Fraction(24), generate_audio=False), prompt)

    return await videos.create(prepare, owner, None)


async def ids(videos: Videos) -> list[str]:
    return [snapshot.video.id for snapshot in await videos.page(None, None, 100, newest_first=False)]
