"""Admit jobs, give them to idle workers, and make sure that each of them ends.

Everything runs on the event loop, so there are no locks. All workers share one queue. A job ends because its worker
reports how it ended, because that worker died, or because the server stops.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from pipelines.prompt_cut import PromptCut, surely_fits
from server.jobs.job import STOPPING, Job, JobCancelled, NotReady
from server.jobs.job_queue import JobQueue
from server.jobs.limits import Limits
from server.jobs.status import State, Status, joint_state
from server.jobs.supervisor import Callbacks, Supervisor
from server.jobs.worker_process import WORKER_PROGRAM
from server.worker.messages import FromWorker, LoadFailed, Loading, WorkerConfig

log = logging.getLogger("ltx23.dispatcher")


class Dispatcher:
    """Runs one worker for each of `configs`, and the queue that they share.

    on_event: called with the first worker's loading messages, each worker's Ready and progress messages, and LoadFailed
    once no worker is left that could serve.

    on_job: called with each job that is taken on, before it runs; its result is in `job.ended`.

    on_kill: called with the reason when a worker had to be killed.
    """

    def __init__(
        self,
        configs: Sequence[WorkerConfig],
        limits: Limits,
        on_event: Callable[[FromWorker], None] = lambda event: None,
        program: Sequence[str] = WORKER_PROGRAM,
        on_job: Callable[[Job], None] = lambda job: None,
        on_kill: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._on_event, self._on_job = on_event, on_job
        self._capacity = limits.queue_size
        callbacks = Callbacks(
            event=self._on_worker_event,
            free=self._dispatch,
            failed=self._on_load_failed,
            rendered=lambda job: self._queue.record_time(job),
            returned=self._requeue,
            killed=on_kill,
        )
        self._supervisors = [Supervisor(config, limits, program, callbacks) for config in configs]
        self._queue = JobQueue(limits, self._supervisors)
        self._draining = False

    def start(self) -> None:
        """Start the workers; Ready comes later. Needs a running event loop. Does nothing after `stop`."""
        for supervisor in self._supervisors:
            supervisor.start()

    def drain(self) -> None:
        """Take no more jobs: waiting jobs end with NotReady, running jobs may finish. May be called twice."""
        self._draining = True
        self._queue.fail_waiting(NotReady(STOPPING))
        self._prepare_next()
        for supervisor in self._supervisors:
            supervisor.drain()

    def stop(self) -> None:
        """Kill the workers and end every job with NotReady. May be called twice."""
        self.drain()
        for supervisor in self._supervisors:
            supervisor.stop()

    async def stopped(self) -> None:
        """Wait until every job has ended and every worker process is gone. Call `drain` or `stop` first."""
        for supervisor in self._supervisors:
            await supervisor.stopped()

    @property
    def status(self) -> Status:
        workers = tuple(supervisor.status for supervisor in self._supervisors)
        state = State.DRAINING if self._draining else joint_state(workers)
        return Status(
            state=state,
            queued=self._queue.waiting,
            capacity=self._capacity,
            running=len(self._queue.running),
            admits=state is State.READY and self._queue.has_room,
            workers=workers,
        )

    def submit(self, job: Job) -> None:
        """Take the job on; its result is in `job.ended`. Raises QueueFull, ShareFull or NotReady."""
        self.validate_admits(job.owner)
        self.resume(job)

    def validate_admits(self, owner: str | None = None) -> None:
        """Raise QueueFull, ShareFull or NotReady if a job of this owner would be rejected now."""
        self._validate_ready()
        self._queue.validate_room(owner)

    async def find_cut(self, prompt: str) -> PromptCut | None:
        """Return what the model does not read of this prompt, or None if it reads all of it. Raises NotReady."""
        if surely_fits(prompt):
            return None
        self._validate_ready()
        ready = next(each for each in self._supervisors if each.status.state is State.READY)
        return await ready.find_cut(prompt)

    def resume(self, job: Job) -> None:
        """Take the job on however long the queue is: this server or the previous one has already admitted it."""
        self._on_job(job)
        if self._draining:
            job.fail(NotReady(STOPPING))
            return
        self._queue.add(job)
        self._dispatch()

    def cancel(self, job: Job) -> None:
        """Cancel the job.

        A queued job ends at once. A running one is told to stop; its worker is killed if it does not within the grace
        period.
        """
        if self._queue.cancel(job):
            self._prepare_next()
            return
        for supervisor in self._supervisors:
            supervisor.cancel(job, JobCancelled("cancelled while it ran"))

    def seconds_left(self, job: Job) -> float | None:
        """Estimate the seconds until the job ends, from earlier clips of its size.

        Return None if the job is neither queued nor running.
        """
        return self._queue.seconds_left(job)

    def _validate_ready(self) -> None:
        status = self.status
        if status.state is State.DRAINING:
            raise NotReady(STOPPING)
        if status.state is not State.READY:
            raise NotReady(status.load_error or f"the model is not ready: {status.state}")

    def _dispatch(self) -> None:
        for supervisor in self._supervisors:
            if supervisor.is_idle and self._queue.waiting:
                supervisor.assign(self._queue.pop())
        self._prepare_next()

    def _prepare_next(self) -> None:
        """Have the images of the next jobs prepared by the workers that will be free first."""
        busy = [supervisor for supervisor in self._supervisors if supervisor.device_job is not None]
        next_jobs = self._queue.next_jobs[: len(busy)]
        for supervisor in self._supervisors:
            if supervisor.next_job not in next_jobs:
                supervisor.prepare(None)
        begun = {supervisor.next_job for supervisor in self._supervisors}
        jobs = (job for job in next_jobs if job.spec.keyframes and job not in begun)
        free = (supervisor for supervisor in busy if supervisor.next_job is None)
        for supervisor, job in zip(sorted(free, key=self._queue.seconds_until_free), jobs, strict=False):
            supervisor.prepare(job)

    def _requeue(self, job: Job) -> None:
        if self._draining:
            job.fail(NotReady(STOPPING))
            return
        self._queue.requeue(job)
        self._dispatch()

    def _on_worker_event(self, supervisor: Supervisor, event: FromWorker) -> None:
        """Pass the event on, but only the first worker's loading progress: one line cannot show several."""
        if supervisor is self._supervisors[0] or not isinstance(event, Loading):
            self._notify(event)

    def _on_load_failed(self, supervisor: Supervisor) -> None:
        """Fail the waiting jobs if no worker has loaded the model or may still load it."""
        reason, worker = self.status.load_error, supervisor.status
        if reason is None:
            log.error("the model cannot be loaded on %s: %s", worker.device, worker.load_error)
            return
        self._notify(LoadFailed(reason))
        self._queue.fail_waiting(NotReady(reason))

    def _notify(self, event: FromWorker) -> None:
        """Call the listener from the event loop, so that its work and its exceptions do not affect this code."""
        asyncio.get_running_loop().call_soon(self._on_event, event)
