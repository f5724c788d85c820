"""A job: one requested clip, from its admission to its end. Independent of HTTP and processes.

JobError
+-- QueueFull           no room in the queue
|   +-- ShareFull       this API key has as many jobs as it may have
+-- NotReady            the model is loading, the worker is restarting, or the server is stopping
+-- RenderRefused       the pipeline rejected the request
+-- RenderFailed        the render failed, or its worker died
|   +-- OutOfMemory     the device had too little memory for this clip
+-- DeadlineExceeded    the render took longer than allowed
+-- JobCancelled        the client cancelled it or went away
"""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pipelines.spec import GenerationSpec
from server.jobs.live_clip import LiveClip
from server.jobs.previews import PreviewFeed
from server.jobs.progress import JobProgress, ProgressFeed
from server.jobs.stage_percents import FIRST_GUESS, StagePercents

STOPPING = "the server is stopping"


class JobError(Exception):
    """Base of every reason why a job ends without a clip.

    code: the name that programs use.
    """

    code: ClassVar[str]


class QueueFull(JobError):
    code = "queue_full"

    def __init__(self, capacity: int, retry_after_s: int) -> None:
        super().__init__(f"the queue is full ({capacity} waiting); try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class ShareFull(QueueFull):
    def __init__(self, jobs: int, retry_after_s: int) -> None:
        JobError.__init__(self, f"this API key has {jobs} jobs here, its share of them; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class NotReady(JobError):
    code = "not_ready"
    retry_after_s = 10


class RenderRefused(JobError):
    code = "refused"


class RenderFailed(JobError):
    code = "render_failed"


class OutOfMemory(RenderFailed):
    code = "out_of_memory"


class DeadlineExceeded(JobError):
    code = "deadline_exceeded"

    @classmethod
    def after(cls, deadline_s: float) -> "DeadlineExceeded":
        return cls(f"the render took longer than {deadline_s:g} s, this server's deadline, and was stopped")


class JobCancelled(JobError):
    code = "cancelled"


_numbers = itertools.count(1)


@dataclass(eq=False)
class Job:
    """One clip: the worker writes it to `path`; `ended` resolves to the worker's timings, or raises JobError.

    id: the client's name for it; not unique. key: the unique name that the worker uses.
    owner: the id of the API key it came with; None without one. attempts: the number of workers it was given to.
    started_at, decoded_at: when a worker began it, and when it left the device while its file was not finished.
    stages_at: when each stage began. percents: where each stage is expected to begin and to end.
    live: the same clip while it is decoded, for those who watch it; None if nobody can.
    peak_memory_bytes: the peak of its render, once it is done; None if the worker could not measure it.
    """

    id: str
    spec: GenerationSpec
    path: Path
    owner: str | None = None
    progress: ProgressFeed = field(default_factory=ProgressFeed)
    ended: asyncio.Future[Mapping[str, float]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    live: LiveClip | None = None
    previews: PreviewFeed = field(default_factory=PreviewFeed)
    number: int = field(default_factory=_numbers.__next__)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    submitted_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    decoded_at: float | None = None
    stages_at: dict[str, float] = field(default_factory=dict)
    percents: StagePercents = field(default_factory=lambda: FIRST_GUESS)
    attempts: int = 0
    peak_memory_bytes: int | None = None

    @property
    def key(self) -> str:
        return f"{self.id}#{self.number}"

    @property
    def queued_s(self) -> float:
        return (self.started_at or time.monotonic()) - self.submitted_at

    @property
    def timings_s(self) -> Mapping[str, float]:
        """Return the worker's timings; empty unless the clip is done."""
        is_done = self.ended.done() and not self.ended.cancelled() and self.ended.exception() is None
        return self.ended.result() if is_done else {}

    @property
    def running_s(self) -> float:
        return time.monotonic() - self.started_at if self.started_at is not None else 0.0

    @property
    def device_s(self) -> float:
        """Return how long it has had a device."""
        return self.decoded_at - self.started_at if self.decoded_at and self.started_at else self.running_s

    @property
    def stages_s(self) -> Mapping[str, float]:
        """Return how long each stage took, now that the last one has ended."""
        begun = list(self.stages_at.values())
        ends = [*begun[1:], time.monotonic()]
        return {stage: end - start for (stage, start), end in zip(self.stages_at.items(), ends, strict=True)}

    def has_clip_of(self, size_bytes: int) -> bool:
        """Return whether its file exists and has the size that it had when the worker verified it."""
        try:
            return self.path.stat().st_size == size_bytes
        except OSError:
            return False

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.stages_at.clear()
        self.progress.set(JobProgress(running=True))
        self.begun.set()

    def enter(self, stage: str, step: int, steps: int) -> None:
        """Note that it is at this step of this stage."""
        self.stages_at.setdefault(stage, time.monotonic())
        self.progress.set(JobProgress(running=True, stage=stage, step=step, steps=steps, percents=self.percents))

    def succeed(self, timings_s: Mapping[str, float]) -> None:
        if not self.ended.done():
            self.ended.set_result(timings_s)

    def fail(self, error: JobError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
            self.ended.exception()  # mark it as retrieved: no warning if the caller is gone
