"""The jobs that wait and the one that runs: who may join, who is next, how long it will take. Starts no worker."""

import math
from collections.abc import Mapping

from server.fair_queue import FairQueue
from server.jobs import Job, JobCancelled, JobError, QueueFull, RenderFailed, ShareFull
from server.limits import Limits
from server.progress import JobProgress
from server.render_times import RenderTimes
from server.running import Running
from server.worker import Worker

# A job whose worker died before it began is not to blame, once.
MAX_ATTEMPTS = 2


class JobLine:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue = FairQueue()
        self._times = RenderTimes()
        self.running: Running | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        return self.waiting < self._limits.queue_size or self.running is None

    def validate_room(self, owner: str | None) -> None:
        """Raises QueueFull, or ShareFull for an owner who has as many jobs here as one may have."""
        if not self.has_room:
            raise QueueFull(self._limits.queue_size, self._retry_after_s())
        if owner is None:
            return
        waiting = self._queue.held_by(owner)
        jobs = waiting + (self.running is not None and self.running.job.owner == owner)
        for held, limit in ((waiting, self._limits.owner_waiting), (jobs, self._limits.owner_jobs)):
            if limit is not None and held >= limit:
                raise ShareFull(jobs, self._retry_after_s())

    def join(self, job: Job) -> None:
        self._queue.push(job)
        self._tell_positions()

    def run_next(self, worker: Worker) -> None:
        """The next job is the worker's, if it has none and one waits."""
        if self.running is None and self.waiting:
            job = self._queue.pop()
            job.attempts += 1
            self.running = Running(job, worker, self._limits)
        self._tell_positions()

    def cancel(self, job: Job) -> None:
        if self._queue.remove(job):
            job.fail(JobCancelled("cancelled before it started"))
            self._tell_positions()
        elif self.running is not None and job is self.running.job:
            self.running.stop(JobCancelled("cancelled while it ran"))

    def end_running(self, outcome: Mapping[str, float] | JobError) -> None:
        running, self.running = self.running, None
        if running is not None:
            running.end(outcome)

    def lose_worker(self) -> None:
        """The running job fails alone, or waits once more if it had not begun."""
        running = self.running
        if running is None:
            return
        job = running.job
        if job.started_at is None and not running.is_stopping and job.attempts < MAX_ATTEMPTS:
            running.give_up()
            self.running = None
            self._queue.push_front(job)
            self._tell_positions()
        else:
            self.end_running(RenderFailed("the worker process ended while it rendered this clip"))

    def fail_waiting(self, error: JobError) -> None:
        for job in self._queue.clear():
            job.fail(error)

    def measure(self, job: Job) -> None:
        self._times.measure(job.spec, job.running_s)

    def seconds_left(self, job: Job) -> float | None:
        """Until it ends, by how long clips of its size took. None: it is none of these."""
        seconds = self._running_left_s()
        if self.running is not None and job is self.running.job:
            return seconds
        for waiting in self._queue:
            seconds += self._times.estimate_s(waiting.spec)
            if waiting is job:
                return seconds
        return None

    def _running_left_s(self) -> float:
        if self.running is None:
            return 0.0
        return max(0.0, self._times.estimate_s(self.running.job.spec) - self.running.job.running_s)

    def _retry_after_s(self) -> int:
        """Half of the time until the last that waits has its turn: a place may be free by then."""
        waiting_s = sum(self._times.estimate_s(job.spec) for job in self._queue)
        return max(1, math.ceil((self._running_left_s() + waiting_s) / 2))

    def _tell_positions(self) -> None:
        for position, job in enumerate(self._queue, 1):
            job.progress.set(JobProgress(position=position))
