"""Admits jobs, hands them to the worker one at a time, and sees to it that each of them ends.

All of it runs on the event loop: no locks. One task keeps a worker running and hears it out; a job leaves
because the worker says how it ended, because the worker died, or because the server stops.
"""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from server.jobs import DeadlineExceeded, Job, JobCancelled, JobError, NotReady, QueueFull, RenderFailed, RenderRefused
from server.messages import (
    Cancel,
    Done,
    Failed,
    FailureKind,
    FromWorker,
    Generate,
    LoadFailed,
    Loading,
    Memory,
    ModelInfo,
    Progress,
    Ready,
    Started,
    WorkerConfig,
)
from server.worker import WORKER_PROGRAM, Worker, run_worker

log = logging.getLogger("ltx23.dispatcher")

RETRY_WHILE_LOADING_S = 10
# By the number of ends and failed loads since the last clip.
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)
# What a render is taken to last before one has been measured.
FIRST_GUESS_S = 10.0
# A job whose worker died before it began is not to blame, once.
MAX_ATTEMPTS = 2


class State(StrEnum):
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Limits:
    """queue_size: jobs waiting, the running one not counted. grace_s: between a cancellation and a kill."""

    queue_size: int = 8
    deadline_s: float = 600.0
    grace_s: float = 10.0


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


@dataclass
class _Running:
    """The job that the worker has. timer: its deadline, then its grace. stopping: why it was told to stop."""

    job: Job
    timer: asyncio.TimerHandle
    stopping: JobError | None = None


class Dispatcher:
    """`on_event` is told of every loading message, readiness and failure to load, for whoever looks at the terminal."""

    def __init__(
        self,
        config: WorkerConfig,
        limits: Limits,
        on_event: Callable[[FromWorker], None] = lambda event: None,
        program: Sequence[str] = WORKER_PROGRAM,
    ) -> None:
        self._config, self._limits, self._on_event, self._program = config, limits, on_event, program
        self._state = State.LOADING
        self._queue: deque[Job] = deque()
        self._running: _Running | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._failures = 0
        self._restarts = 0
        self._model: ModelInfo | None = None
        self._memory: Memory | None = None
        self._load_error: str | None = None
        self._render_s = FIRST_GUESS_S

    def start(self) -> None:
        """Start the worker; Ready comes later. Needs a running event loop."""
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
            queued=len(self._queue),
            capacity=self._limits.queue_size,
            running=self._running is not None,
            model=self._model,
            memory=self._memory,
            load_error=self._load_error,
            worker_restarts=self._restarts,
        )

    def submit(self, job: Job) -> None:
        """Take the job on, or raise QueueFull or NotReady. `job.ended` tells the rest."""
        self.validate_admits()
        self._queue.append(job)
        self._dispatch()

    def validate_admits(self) -> None:
        """Raises QueueFull or NotReady when a job submitted now would not be taken on."""
        if self._state is not State.READY:
            reason = self._load_error or f"the model is not ready: {self._state}"
            raise NotReady(reason, RETRY_WHILE_LOADING_S)
        if not self.status.admits:
            raise QueueFull(self._limits.queue_size, self._retry_after_s())

    def cancel(self, job: Job) -> None:
        """Queued: gone at once. Running: told to stop, and its worker killed if it does not within the grace."""
        if job in self._queue:
            self._queue.remove(job)
            job.fail(JobCancelled("cancelled before it started"))
        elif self._running is not None and job is self._running.job:
            self._stop_running(JobCancelled("cancelled while it ran"))

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._render_s * (len(self._queue) + 1) / 2))

    def _dispatch(self) -> None:
        if self._state is not State.READY or self._worker is None or self._running is not None or not self._queue:
            return
        job = self._queue.popleft()
        job.attempts += 1
        deadline = DeadlineExceeded(self._limits.deadline_s)
        self._running = _Running(job, self._after(self._limits.deadline_s, lambda: self._stop_running(deadline)))
        self._worker.send(Generate(job.key, job.spec, job.path))

    def _stop_running(self, reason: JobError) -> None:
        running, worker = self._running, self._worker
        if running is None or worker is None or running.stopping is not None:
            return
        running.stopping = reason
        running.timer.cancel()
        running.timer = self._after(self._limits.grace_s, worker.kill)
        worker.send(Cancel(running.job.key))

    def _after(self, seconds: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, action)

    def _end_running(self, outcome: Mapping[str, float] | JobError) -> None:
        """Why it was told to stop outweighs how it then ended. The next one's turn."""
        running, self._running = self._running, None
        if running is None:
            return
        running.timer.cancel()
        outcome = running.stopping or outcome
        if isinstance(outcome, JobError):
            running.job.fail(outcome)
        else:
            running.job.succeed(outcome)
        self._dispatch()

    def _fail_waiting(self, error: JobError) -> None:
        while self._queue:
            self._queue.popleft().fail(error)

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
            self._fail_waiting(stopped)

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
                if self._running is not None and message.job_id == self._running.job.key:
                    self._on_job_message(self._running.job, message)

    def _on_job_message(self, job: Job, message: Started | Progress | Done | Failed) -> None:
        match message:
            case Started():
                job.start()
            case Done(_, timings_s):
                self._measure(job)
                self._end_running(timings_s)
            case Failed(_, kind, text):
                self._end_running(RenderRefused(text) if kind is FailureKind.INVALID else RenderFailed(text))

    def _measure(self, job: Job) -> None:
        """A clip: the worker is a sound one, and this is how long one takes."""
        self._failures = 0
        if job.started_at is not None:
            self._render_s = 0.7 * self._render_s + 0.3 * (time.monotonic() - job.started_at)

    def _on_exit(self, how: str) -> None:
        """Its job fails alone, or waits once more if it had not begun; the queue waits for the next worker."""
        log.error("the worker ended with %s", how)
        self._worker = self._memory = None
        if self._state is State.READY:
            self._state = State.LOADING
        elif self._state is State.LOADING:
            self._fail_to_load(f"the worker process ended with {how} while it loaded; the server's log has the reason")
        running = self._running
        if running is None:
            return
        job = running.job
        if job.started_at is None and running.stopping is None and job.attempts < MAX_ATTEMPTS:
            running.timer.cancel()
            self._running = None
            self._queue.appendleft(job)
        else:
            self._end_running(RenderFailed("the worker process ended while it rendered this clip"))

    def _fail_to_load(self, reason: str) -> None:
        """Nobody knows when it will load, so nobody waits for it. The same again at once would end the same."""
        self._state, self._load_error = State.FAILED, reason
        self._failures += 1
        self._tell(LoadFailed(reason))
        self._fail_waiting(NotReady(reason, RETRY_WHILE_LOADING_S))

    def _tell(self, event: FromWorker) -> None:
        """Later: what a listener does or raises is no part of this."""
        asyncio.get_running_loop().call_soon(self._on_event, event)


def _exit_name(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
