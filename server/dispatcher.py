"""Admits jobs, hands them to the worker one at a time, and sees to it that each of them ends.

All of it runs on the event loop: no locks. One task keeps a worker running and hears it out; a job leaves
because the worker says how it ended, because the worker died, or because the server stops.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.job_line import JobLine
from server.jobs import Job, JobError, NotReady, OutOfMemory, RenderFailed, RenderRefused
from server.limits import Limits
from server.messages import (
    Done,
    Failed,
    FailureKind,
    FromWorker,
    LoadFailed,
    Loading,
    Memory,
    ModelInfo,
    Progress,
    Ready,
    Started,
    WorkerConfig,
)
from server.progress import JobProgress
from server.worker import WORKER_PROGRAM, Worker, run_worker

log = logging.getLogger("ltx23.dispatcher")

RETRY_WHILE_LOADING_S = 10
# By the number of ends and failed loads since the last clip.
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)

# What a worker calls a failure, and how the job then ends; any other is RenderFailed.
ENDS = {FailureKind.INVALID: RenderRefused, FailureKind.OUT_OF_MEMORY: OutOfMemory}


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    state: State
    queued: int
    capacity: int
    running: bool
    model: ModelInfo | None
    memory: Memory | None
    load_error: str | None
    worker_restarts: int

    @property
    def admits(self) -> bool:
        return self.state is State.READY and (self.queued < self.capacity or not self.running)


class Dispatcher:
    """`on_event` is told of every loading message, readiness, failure to load and step, for whoever looks on.

    `on_job` is told of each job that is taken on, before it runs; what becomes of it is in `job.ended`.
    """

    def __init__(
        self,
        config: WorkerConfig,
        limits: Limits,
        on_event: Callable[[FromWorker], None] = lambda event: None,
        program: Sequence[str] = WORKER_PROGRAM,
        on_job: Callable[[Job], None] = lambda job: None,
    ) -> None:
        self._config, self._on_event, self._program, self._on_job = config, on_event, program, on_job
        self._capacity = limits.queue_size
        self._state = State.LOADING
        self._line = JobLine(limits)
        self._supervisor: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._failures = 0
        self._restarts = 0
        self._model: ModelInfo | None = None
        self._memory: Memory | None = None
        self._load_error: str | None = None

    def start(self) -> None:
        """Start the worker; Ready comes later. Needs a running event loop. Nothing starts once it was stopped."""
        if self._state is not State.DRAINING:
            self._supervisor = asyncio.create_task(self._supervise(), name="supervisor")

    def stop(self) -> None:
        """Kill the worker and end every job with NotReady. May be called twice; `stopped` waits until that is done."""
        if self._state is not State.DRAINING:
            self._state = State.DRAINING
            if self._supervisor is not None:
                self._supervisor.cancel()

    async def stopped(self) -> None:
        """Until the worker's process is gone and every job has ended."""
        if self._supervisor is not None:
            await asyncio.wait([self._supervisor])

    @property
    def status(self) -> Status:
        return Status(
            state=self._state,
            queued=self._line.waiting,
            capacity=self._capacity,
            running=self._line.running is not None,
            model=self._model,
            memory=self._memory,
            load_error=self._load_error,
            worker_restarts=self._restarts,
        )

    def submit(self, job: Job) -> None:
        """Take the job on, or raise QueueFull or NotReady. `job.ended` tells the rest."""
        self.validate_admits(job.owner)
        self.resume(job)

    def validate_admits(self, owner: str | None = None) -> None:
        """Raises QueueFull, ShareFull or NotReady when a job of this owner submitted now would not be taken on."""
        if self._state is not State.READY:
            reason = self._load_error or f"the model is not ready: {self._state}"
            raise NotReady(reason, RETRY_WHILE_LOADING_S)
        self._line.validate_room(owner)

    def resume(self, job: Job) -> None:
        """Take the job on however many wait: it was admitted before, by this server or the one before it."""
        self._on_job(job)
        self._line.join(job)
        self._dispatch()

    def cancel(self, job: Job) -> None:
        """Queued: gone at once. Running: told to stop, and its worker killed if it does not within the grace."""
        self._line.cancel(job)

    def seconds_left(self, job: Job) -> float | None:
        """Until it ends, by how long clips of its size took. None: it neither waits nor runs."""
        return self._line.seconds_left(job)

    def _dispatch(self) -> None:
        if self._state is State.READY and self._worker is not None:
            self._line.run_next(self._worker)

    def _end_running(self, outcome: Mapping[str, float] | JobError) -> None:
        """The next one's turn."""
        self._line.end_running(outcome)
        self._dispatch()

    async def _supervise(self) -> None:
        """One worker after the other, until cancelled. No job outlives this."""
        try:
            while True:
                await self._run_worker()
                await self._back_off()
                self._restarts += 1
        finally:
            self._state = State.DRAINING
            stopped = NotReady("the server is stopping", RETRY_WHILE_LOADING_S)
            self._end_running(stopped)
            self._line.fail_waiting(stopped)

    async def _back_off(self) -> None:
        delay_s = RESTART_BACKOFF_S[min(self._failures, len(RESTART_BACKOFF_S) - 1)]
        self._failures += 1
        log.warning("the next worker starts in %g s", delay_s)
        await asyncio.sleep(delay_s)

    async def _run_worker(self) -> None:
        try:
            async with run_worker(self._config, self._program) as worker:
                self._worker = worker
                await self._hear_out(worker)
        except OSError as exc:
            self._fail_to_load(f"no worker process can be started: {exc}")
        else:
            assert worker.returncode is not None
            self._on_exit(_exit_name(worker.returncode))

    async def _hear_out(self, worker: Worker) -> None:
        while (message := await worker.receive()) is not None:
            self._on_message(message)
            if isinstance(message, LoadFailed):
                return

    def _on_message(self, message: FromWorker) -> None:
        match message:
            case Loading():
                self._tell(message)
            case Ready(model):
                self._model, self._load_error, self._state = model, None, State.READY
                self._tell(message)
                self._dispatch()
            case LoadFailed(text):
                self._fail_to_load(text)
            case Memory():
                self._memory = message
            case Started() | Progress() | Done() | Failed():
                running = self._line.running
                if running is not None and message.job_id == running.job.key:
                    self._on_job_message(running.job, message)

    def _on_job_message(self, job: Job, message: Started | Progress | Done | Failed) -> None:
        match message:
            case Started():
                job.start()
            case Progress(_, stage, step, steps):
                self._tell(message)
                job.progress.set(JobProgress(running=True, stage=stage, step=step, steps=steps))
            case Done(_, timings_s, size_bytes) if job.has_clip_of(size_bytes):
                # A clip: the worker is a sound one, and this is how long one takes.
                self._failures = 0
                self._line.measure(job)
                self._end_running(timings_s)
            case Done():
                log.error("job %s: the worker said that it was done, and its file is cut short or missing", job.id)
                self._end_running(RenderFailed("the clip that was rendered could not be read: its file is not whole"))
            case Failed(_, kind, text):
                self._end_running(ENDS.get(kind, RenderFailed)(text))

    def _on_exit(self, how: str) -> None:
        """Its job fails alone, or waits once more if it had not begun; the queue waits for the next worker."""
        log.error("the worker ended with %s", how)
        self._worker = self._memory = None
        if self._state is State.READY:
            self._state = State.LOADING
        elif self._state is State.LOADING:
            self._fail_to_load(f"the worker process ended with {how} while it loaded; the server's log has the reason")
        self._line.lose_worker()

    def _fail_to_load(self, reason: str) -> None:
        """Nobody knows when it will load, so nobody waits for it. The same again at once would end the same."""
        self._state, self._load_error = State.FAILED, reason
        self._failures += 1
        self._tell(LoadFailed(reason))
        self._line.fail_waiting(NotReady(reason, RETRY_WHILE_LOADING_S))

    def _tell(self, event: FromWorker) -> None:
        """Later: what a listener does or raises is no part of this."""
        asyncio.get_running_loop().call_soon(self._on_event, event)


def _exit_name(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
