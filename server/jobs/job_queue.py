"""The jobs that wait: how many may, which is next, and how long each will take. Does not start or use workers."""

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import Protocol

from server.jobs.fair_queue import FairQueue
from server.jobs.job import Job, JobCancelled, JobError, QueueFull, ShareFull
from server.jobs.limits import Limits
from server.jobs.progress import JobProgress
from server.jobs.render_times import RenderTimes
from server.jobs.stage_percents import StageShares


class JobRunner(Protocol):
    """A worker: it renders one job at a time on its device, and may be finishing another.

    device_job: the job on the device. jobs: that one, and those that are being finished.
    """

    @property
    def device_job(self) -> Job | None: ...

    @property
    def jobs(self) -> Sequence[Job]: ...

    @property
    def is_idle(self) -> bool: ...


class JobQueue:
    def __init__(self, limits: Limits, runners: Sequence[JobRunner]) -> None:
        self._limits, self._runners = limits, runners
        self._queue: FairQueue[Job] = FairQueue()
        self._times, self._device_times, self._shares = RenderTimes(), RenderTimes(), StageShares()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def running(self) -> list[Job]:
        return [job for runner in self._runners for job in runner.jobs]

    @property
    def next_jobs(self) -> list[Job]:
        """Return the waiting jobs in the order in which they will be served if none is added or removed."""
        return list(self._queue)

    @property
    def has_room(self) -> bool:
        return self.waiting < self._limits.queue_size or any(runner.is_idle for runner in self._runners)

    def validate_room(self, owner: str | None) -> None:
        """Raise QueueFull if there is no room, or ShareFull if this owner has as many jobs as one owner may have."""
        if not self.has_room:
            raise QueueFull(self._limits.queue_size, self._retry_after_s())
        if owner is None:
            return
        waiting = self._queue.held_by(owner)
        jobs = waiting + sum(job.owner == owner for job in self.running)
        share = self._limits.owner_waiting if self._limits.is_shared() else None
        for held, limit in ((waiting, share), (jobs, self._limits.owner_jobs)):
            if limit is not None and held >= limit:
                raise ShareFull(jobs, self._retry_after_s())

    def add(self, job: Job) -> None:
        self._queue.push(job)
        self._update_positions()

    def requeue(self, job: Job) -> None:
        """Put a job that has already had its turn at the head of the queue."""
        self._queue.push_front(job)
        self._update_positions()

    def pop(self) -> Job:
        """Remove and return the next job. Raises IndexError if none is waiting."""
        job = self._queue.pop()
        job.percents = self._shares.percents
        self._update_positions()
        return job

    def cancel(self, job: Job) -> bool:
        """Cancel the job and return True, or return False if it is not waiting."""
        if not self._queue.remove(job):
            return False
        job.fail(JobCancelled("cancelled before it started"))
        self._update_positions()
        return True

    def fail_waiting(self, error: JobError) -> None:
        for job in self._queue.clear():
            job.fail(error)

    def record_time(self, job: Job) -> None:
        self._times.add(job.spec, job.running_s)
        self._device_times.add(job.spec, job.device_s)
        self._shares.add(job.stages_s)

    def seconds_left(self, job: Job) -> float | None:
        """Estimate the seconds until the job ends, from earlier clips of its size.

        Return None if the job is neither waiting nor running.
        """
        return next((seconds for each, seconds in self._remaining_s() if each is job), None)

    def _update_positions(self) -> None:
        for position, job in enumerate(self._queue, 1):
            job.progress.set(JobProgress(position=position))

    def seconds_until_free(self, runner: JobRunner) -> float:
        """Estimate when the runner's device is free for the next job."""
        job = runner.device_job
        return 0.0 if job is None else max(0.0, self._device_times.estimate_s(job.spec) - job.device_s)

    def _remaining_s(self) -> Iterator[tuple[Job, float]]:
        """Yield each job with the seconds until it ends: the running ones, then the waiting ones in their order."""
        for job in self.running:
            yield job, max(0.0, self._times.estimate_s(job.spec) - job.running_s)
        # A runner without a worker does not count.
        free_s = [self.seconds_until_free(each) for each in self._runners if each.is_idle or each.device_job] or [0.0]
        heapq.heapify(free_s)
        for job in self._queue:
            start_s = heapq.heappop(free_s)
            heapq.heappush(free_s, start_s + self._device_times.estimate_s(job.spec))
            yield job, start_s + self._times.estimate_s(job.spec)

    def _retry_after_s(self) -> int:
        """Return half of the time until the last job ends: a place may be free by then."""
        if self._limits.retry_after_s is not None:
            return self._limits.retry_after_s
        return max(1, math.ceil(max((seconds for _, seconds in self._remaining_s()), default=0.0) / 2))
