"""A job that a worker has: its progress, deadline, cancellation and end. Independent of the queue."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from server.jobs.job import DeadlineExceeded, Job, JobError, OutOfMemory, RenderFailed, RenderRefused
from server.jobs.limits import Limits
from server.jobs.previews import Preview
from server.jobs.worker_process import Worker
from server.worker.messages import (
    Cancel,
    Decoded,
    Done,
    Failed,
    FailureKind,
    FragmentWritten,
    Generate,
    PreviewMade,
    Progress,
    Started,
    Unwatch,
    Watch,
)

log = logging.getLogger("ltx23.running")

JobMessage = Started | Progress | PreviewMade | FragmentWritten | Decoded | Done | Failed
# The seconds that each part took, or why there is no clip.
Outcome = Mapping[str, float] | JobError

# The error for each kind of failure that a worker reports; any other kind is RenderFailed.
ENDS = {FailureKind.INVALID: RenderRefused, FailureKind.OUT_OF_MEMORY: OutOfMemory}


class RunningJob:
    """A job that a worker has: on its device, or with its file being finished.

    It is told to stop at its deadline or when it is cancelled. If it does not stop within the grace period, its worker
    is killed.
    """

    def __init__(self, job: Job, worker: Worker, limits: Limits, on_kill: Callable[[str], None]) -> None:
        self.job, self._worker, self._limits, self._on_kill = job, worker, limits, on_kill
        self._stopping: JobError | None = None
        self.is_on_device = True
        deadline = DeadlineExceeded.after(limits.deadline_s)
        self._timer = _after(limits.deadline_s, lambda: self.stop(deadline))
        worker.send(Generate(job.key, job.spec, job.path, job.live.path if job.live is not None else None))
        job.previews.listen(self._tell_watched)

    @property
    def is_stopping(self) -> bool:
        return self._stopping is not None

    def handle(self, message: JobMessage) -> Outcome | None:
        """Handle a message; return how the job ended, or None if it has not ended."""
        match message:
            case Started():
                self.job.start()
            case Progress(_, stage, step, steps):
                self.job.enter(stage, step, steps)
                if stage == "decode":
                    self.job.previews.end()
            case PreviewMade(_, stage, step, steps, data):
                self.job.previews.set(Preview(stage, step, steps, data))
                self.job.progress.wake()
            case FragmentWritten(_, size_bytes) if self.job.live is not None:
                self.job.live.grow(size_bytes)
            case Decoded():
                self.is_on_device = False
                self.job.decoded_at = time.monotonic()
            case Done(_, timings_s, size_bytes, peak_memory_bytes) if self.job.has_clip_of(size_bytes):
                self.job.peak_memory_bytes = peak_memory_bytes
                return timings_s
            case Done():
                log.error("job %s: the worker said that it was done, and its file is cut short or missing", self.job.id)
                return RenderFailed("the clip that was rendered could not be read: its file is not whole")
            case Failed(_, kind, text):
                return ENDS.get(kind, RenderFailed)(text)
        return None

    def stop(self, reason: JobError) -> None:
        """Tell the job to stop. Only the first reason counts."""
        if self._stopping is not None:
            return
        self._stopping = reason
        self._timer.cancel()
        self._timer = _after(self._limits.grace_s, lambda: self._kill(reason.code))
        self._worker.send(Cancel(self.job.key))

    def end(self, outcome: Outcome) -> None:
        """End the job. If it was told to stop, the reason for that takes precedence over `outcome`."""
        self.release()
        outcome = self._stopping or outcome
        if isinstance(outcome, JobError):
            self.job.fail(outcome)
        else:
            self.job.succeed(outcome)

    def release(self) -> None:
        """Stop the timer: no worker has the job any more, and it may be given to another."""
        self._timer.cancel()
        self.job.previews.listen(None)

    def _tell_watched(self, is_watched: bool) -> None:
        self._worker.send(Watch(self.job.key) if is_watched else Unwatch(self.job.key))

    def _kill(self, reason: str) -> None:
        self._on_kill(reason)
        self._worker.kill()


def _after(seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, action)
