"""The job that a worker has: its deadline, its cancellation, its end. Knows no queue."""

import asyncio
from collections.abc import Callable, Mapping

from server.jobs import DeadlineExceeded, Job, JobError
from server.limits import Limits
from server.messages import Cancel, Generate
from server.worker import Worker


class Running:
    """Told to stop at its deadline or when it is cancelled; its worker is killed when it does not within the grace."""

    def __init__(self, job: Job, worker: Worker, limits: Limits) -> None:
        self.job, self._worker, self._limits = job, worker, limits
        self._stopping: JobError | None = None
        deadline = DeadlineExceeded.after(limits.deadline_s)
        self._timer = _after(limits.deadline_s, lambda: self.stop(deadline))
        worker.send(Generate(job.key, job.spec, job.path))

    @property
    def is_stopping(self) -> bool:
        return self._stopping is not None

    def stop(self, reason: JobError) -> None:
        """The first reason is the one that counts."""
        if self._stopping is not None:
            return
        self._stopping = reason
        self._timer.cancel()
        self._timer = _after(self._limits.grace_s, self._kill)
        self._worker.send(Cancel(self.job.key))

    def end(self, outcome: Mapping[str, float] | JobError) -> None:
        """Why it was told to stop outweighs how it then ended."""
        self.give_up()
        outcome = self._stopping or outcome
        if isinstance(outcome, JobError):
            self.job.fail(outcome)
        else:
            self.job.succeed(outcome)

    def give_up(self) -> None:
        """No worker has the job any more; it may be given to another."""
        self._timer.cancel()

    def _kill(self) -> None:
        self.job.took_its_worker = True
        self._worker.kill()


def _after(seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, action)
