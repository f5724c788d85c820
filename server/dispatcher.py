"""Admits jobs, hands them to the worker one at a time, and sees to it that each of them ends.

All of it runs on the event loop: no locks. A job leaves in one of three ways: the worker says how it ended, the worker
dies, or the server stops.
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
    Ready,
    Started,
    WorkerConfig,
)
from server.worker import WORKER_PROGRAM, Exited, Worker

log = logging.getLogger("ltx23.dispatcher")

RETRY_WHILE_LOADING_S = 10
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)
# What a render is taken to last before one has been measured.
FIRST_GUESS_S = 10.0


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
        self._running: Job | None = None
        self._stopping: JobError | None = None  # why the running job was told to stop
        self._timers: list[asyncio.TimerHandle] = []
        self._worker: Worker | None = None
        self._restart: asyncio.TimerHandle | None = None
        self._failed_starts = 0
        self._restarts = 0
        self._model: ModelInfo | None = None
        self._memory: Memory | None = None
        self._load_error: str | None = None
        self._render_s = FIRST_GUESS_S

    def start(self) -> None:
        """Start the worker; Ready comes later. Needs a running event loop."""
        self._worker = Worker(self._config, self._on_message, self._program)

    def stop(self) -> None:
        """End every job with NotReady and the worker with them. Blocks until the process is gone."""
        self._state = State.DRAINING
        stopped = NotReady("the server is stopping", RETRY_WHILE_LOADING_S)
        self._end_running(lambda job: job.fail(stopped))
        while self._queue:
            self._queue.popleft().fail(stopped)
        if self._restart is not None:
            self._restart.cancel()
        if self._worker is not None:
            self._worker.kill()
            self._worker.join()

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
        if self._state is not State.READY:
            reason = self._load_error or f"the model is not ready: {self._state}"
            raise NotReady(reason, RETRY_WHILE_LOADING_S)
        if not self.status.admits:
            raise QueueFull(self._limits.queue_size, self._retry_after_s())
        self._queue.append(job)
        self._dispatch()

    def cancel(self, job: Job) -> None:
        """Queued: gone at once. Running: told to stop, and its worker killed if it does not within the grace."""
        if job in self._queue:
            self._queue.remove(job)
            job.fail(JobCancelled("cancelled before it started"))
        elif job is self._running:
            self._stop_running(JobCancelled("cancelled while it ran"))

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._render_s * (len(self._queue) + 1) / 2))

    def _dispatch(self) -> None:
        if self._state is not State.READY or self._running is not None or not self._queue:
            return
        assert self._worker is not None
        job = self._running = self._queue.popleft()
        job.start()
        deadline = DeadlineExceeded(self._limits.deadline_s)
        self._after(self._limits.deadline_s, lambda: self._stop_running(deadline))
        self._worker.send(Generate(job.id, job.spec, job.path))

    def _stop_running(self, reason: JobError) -> None:
        if self._running is None or self._stopping is not None or self._worker is None:
            return
        self._stopping = reason
        self._worker.send(Cancel(self._running.id))
        self._after(self._limits.grace_s, self._worker.kill)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _end_running(self, end: Callable[[Job], None]) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        job, stopping = self._running, self._stopping
        self._running = self._stopping = None
        if job is None:
            return
        if stopping is not None:
            job.fail(stopping)
        else:
            end(job)

    def _on_message(self, worker: Worker, message: FromWorker | Exited) -> None:
        if worker is not self._worker:
            return
        match message:
            case Done(_, timings_s):
                self._end_running(lambda job: self._succeed(job, timings_s))
            case Failed(_, kind, text):
                self._end_running(lambda job: job.fail(_error(kind, text)))
            case Ready(model):
                self._model, self._load_error, self._failed_starts = model, None, 0
                self._state = State.READY
            case LoadFailed(text):
                self._load_error = text
                self._state = State.FAILED
            case Memory():
                self._memory = message
            case Exited(returncode):
                self._on_exit(returncode)
        if isinstance(message, Loading | Ready | LoadFailed):
            self._on_event(message)
        if not isinstance(message, Started | Memory):
            self._dispatch()

    def _succeed(self, job: Job, timings_s: Mapping[str, float]) -> None:
        elapsed_s = time.monotonic() - (job.started_at or job.submitted_at)
        self._render_s = 0.7 * self._render_s + 0.3 * elapsed_s
        job.succeed(timings_s)

    def _on_exit(self, returncode: int) -> None:
        """Its job fails alone; the queue waits for the next worker."""
        self._worker = self._memory = None
        self._end_running(lambda job: job.fail(RenderFailed("the worker process ended while it rendered this clip")))
        if self._state is State.DRAINING:
            return
        if self._state is not State.FAILED:
            self._state = State.LOADING
        delay_s = RESTART_BACKOFF_S[min(self._failed_starts, len(RESTART_BACKOFF_S) - 1)]
        self._failed_starts += 1
        log.error("the worker ended with %s; the next starts in %g s", _exit_name(returncode), delay_s)
        self._restart = asyncio.get_running_loop().call_later(delay_s, self._start_again)

    def _start_again(self) -> None:
        self._restarts += 1
        self.start()


def _error(kind: FailureKind, message: str) -> JobError:
    if kind is FailureKind.INVALID:
        return RenderRefused(message)
    if kind is FailureKind.CANCELLED:
        return JobCancelled(message)
    return RenderFailed(message)


def _exit_name(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
