"""Supervise one device's worker: start it, read its messages, watch it, and replace it when it ends.

A supervisor has no queue: one job is on the device, and the one before may be having its file finished.
"""

import asyncio
import errno
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from enhancer.backoff import Backoff
from enhancer.child import exit_name
from pipelines.prompt_cut import PromptCut
from server.jobs.heartbeat import Heartbeat
from server.jobs.job import STOPPING, Job, JobError, NotReady, RenderFailed
from server.jobs.limits import Limits
from server.jobs.loading import LoadingProgress, Stage
from server.jobs.queries import Queries
from server.jobs.running_job import JobMessage, Outcome, RunningJob
from server.jobs.status import State, WorkerStatus
from server.jobs.worker_process import Worker, run_worker
from server.worker.messages import (
    Cancel,
    Decoded,
    Done,
    Failed,
    FoundCut,
    FragmentWritten,
    FromWorker,
    LoadFailed,
    Loading,
    Memory,
    ModelInfo,
    Prepare,
    PreviewMade,
    Progress,
    Ready,
    Started,
    WorkerConfig,
)

log = logging.getLogger("ltx23.supervisor")

# Delays by the number of worker exits and failed loads since the last clip.
RESTART_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)
# Delay between attempts to start a worker while the system has no descriptor, process or memory left for it. The worker
# is not at fault then, and the shortage may end at any time.
SHORTAGE_RETRY_S = 1.0
SHORTAGE_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)

# A job whose worker died before beginning it gets one more attempt.
MAX_ATTEMPTS = 2

SILENT = "silent"


@dataclass(frozen=True)
class Callbacks:
    """The callbacks of a supervisor, called on the event loop.

    event: a Loading, Ready or Progress message came. free: the worker can perhaps take another job.
    failed: the worker cannot load the model. rendered: a job has its clip.
    returned: the worker ended before it began this job. killed: the worker was killed, with the reason.
    """

    event: Callable[["Supervisor", FromWorker], None]
    free: Callable[[], None]
    failed: Callable[["Supervisor"], None]
    rendered: Callable[[Job], None]
    returned: Callable[[Job], None]
    killed: Callable[[str], None]


class Supervisor:
    def __init__(self, config: WorkerConfig, limits: Limits, program: Sequence[str], callbacks: Callbacks) -> None:
        self._config, self._limits, self._program, self._callbacks = config, limits, program, callbacks
        self._name = "worker" if config.device == "auto" else f"worker of {config.device}"
        self._state = State.LOADING
        self._task: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._running: dict[str, RunningJob] = {}
        self._next_job: Job | None = None
        self._queries = Queries()
        self._backoff = Backoff(RESTART_BACKOFF_S)
        self._is_short_of_resources = False
        self._restarts = 0
        self._model: ModelInfo | None = None
        self._memory: Memory | None = None
        self._load_error: str | None = None
        self._loading = LoadingProgress(Stage.LOADING)

    def start(self) -> None:
        """Start the worker; Ready comes later. Needs a running event loop. Does nothing after `stop`."""
        if self._state is not State.DRAINING:
            self._task = asyncio.create_task(self._supervise(), name="supervisor")

    @property
    def jobs(self) -> list[Job]:
        return [running.job for running in self._running.values()]

    @property
    def device_job(self) -> Job | None:
        return next((running.job for running in self._running.values() if running.is_on_device), None)

    @property
    def next_job(self) -> Job | None:
        """The waiting job that the worker was told to prepare."""
        return self._next_job

    @property
    def is_idle(self) -> bool:
        return self._state is State.READY and self.device_job is None

    @property
    def status(self) -> WorkerStatus:
        return WorkerStatus(
            device=self._config.device,
            state=self._state,
            running=bool(self._running),
            model=self._model,
            memory=self._memory,
            loading=self._loading.status if self._state is State.LOADING else None,
            load_error=self._load_error,
            restarts=self._restarts,
        )

    def assign(self, job: Job) -> None:
        """Give the worker a job. It must be idle."""
        assert self._worker is not None
        if job is self._next_job:
            self._next_job = None
        job.attempts += 1
        self._running[job.key] = RunningJob(job, self._worker, self._limits, self._callbacks.killed)

    def prepare(self, job: Job | None) -> None:
        """Have the worker prepare a waiting job, and drop the one before. The job may still go to another worker."""
        before, self._next_job = self._next_job, job
        if self._worker is not None and before is not None:
            self._worker.send(Cancel(before.key))
        if self._worker is not None and job is not None:
            self._worker.send(Prepare(job.key, job.spec))

    def cancel(self, job: Job, reason: JobError) -> None:
        """Tell the job to stop, if the worker has it; the worker is killed if it does not within the grace period."""
        if job.key in self._running:
            self._running[job.key].stop(reason)

    async def find_cut(self, prompt: str) -> PromptCut | None:
        """Return the part of this prompt that the model does not read. Raises NotReady if the worker ends meanwhile."""
        assert self._worker is not None
        return await self._queries.ask(prompt, self._worker.send)

    def drain(self) -> None:
        """Take no further job; the worker ends after its current jobs, or now if it has none."""
        self._state = State.DRAINING
        if not self._running:
            self.stop()

    def stop(self) -> None:
        """Kill the worker and end its jobs with NotReady. May be called twice; `stopped` waits until that is done."""
        self._state = State.DRAINING
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()

    async def stopped(self) -> None:
        """Wait until the worker's process is gone and its jobs have ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _supervise(self) -> None:
        """Run one worker after another until cancelled, then end the current jobs."""
        try:
            while True:
                await self._run_worker()
                await self._back_off()
                self._restarts += 1
        finally:
            self._state = State.DRAINING
            self._queries.fail_all()
            for running in list(self._running.values()):
                self._end_job(running, NotReady(STOPPING))

    async def _back_off(self) -> None:
        if self._is_short_of_resources:
            await asyncio.sleep(SHORTAGE_RETRY_S)
            return
        delay_s = self._backoff.fail()
        log.warning("the next %s starts in %g s", self._name, delay_s)
        await asyncio.sleep(delay_s)

    async def _run_worker(self) -> None:
        try:
            async with run_worker(self._config, self._program) as worker:
                self._worker, self._is_short_of_resources = worker, False
                self._loading = LoadingProgress(Stage.LOADING)
                await self._receive_messages(worker)
                was_loading = self._state is State.LOADING
                # Do not wait for its process to be gone, which may take a while.
                self._on_worker_gone()
        except OSError as exc:
            if exc.errno in SHORTAGE_ERRNOS:
                self._note_shortage(exc)
                return
            self._fail_to_load(f"no worker process can be started: {exc}")
            return
        assert worker.returncode is not None
        how = exit_name(worker.returncode)
        log.error("the %s ended with %s", self._name, how)
        if was_loading:
            self._fail_to_load(f"the worker process ended with {how} while it loaded; the server's log has the reason")

    def _note_shortage(self, exc: OSError) -> None:
        if not self._is_short_of_resources:
            log.error("no %s can be started now (%s); tried again every %g s", self._name, exc, SHORTAGE_RETRY_S)
        self._is_short_of_resources = True

    async def _receive_messages(self, worker: Worker) -> None:
        heartbeat = Heartbeat()
        watch = asyncio.create_task(self._kill_when_silent(worker, heartbeat), name="heartbeat")
        try:
            while (message := await worker.receive()) is not None:
                heartbeat.beat()
                self._on_message(message)
                if isinstance(message, LoadFailed):
                    return
        finally:
            watch.cancel()

    async def _kill_when_silent(self, worker: Worker, heartbeat: Heartbeat) -> None:
        """Kill the worker when it is silent for too long: it hangs, or its device does."""
        await heartbeat.silent_for(self._limits.heartbeat_s)
        log.error("the %s gave no sign of life for %g s and is killed", self._name, self._limits.heartbeat_s)
        self._callbacks.killed(SILENT)
        worker.kill()

    def _on_message(self, message: FromWorker) -> None:
        match message:
            case Loading(component, done_bytes, total_bytes):
                self._loading.update(Stage.LOADING, component, done_bytes, total_bytes)
                self._callbacks.event(self, message)
            case Ready(model):
                self._on_ready(model, message)
            case LoadFailed(text):
                self._fail_to_load(text)
            case Memory():
                self._memory = message
            case FoundCut():
                self._queries.on_answer(message)
            case Started() | Progress() | PreviewMade() | FragmentWritten() | Decoded() | Done() | Failed():
                if message.job_id in self._running:
                    self._on_job_message(self._running[message.job_id], message)

    def _on_ready(self, model: ModelInfo, message: Ready) -> None:
        self._model, self._load_error = model, None
        if self._state is not State.DRAINING:
            self._state = State.READY
            self._callbacks.event(self, message)
            self._callbacks.free()

    def _on_job_message(self, running: RunningJob, message: JobMessage) -> None:
        if isinstance(message, Progress):
            self._callbacks.event(self, message)
        outcome = running.handle(message)
        if isinstance(message, Decoded):
            self._callbacks.free()
        if outcome is None:
            return
        if not isinstance(outcome, JobError):
            # A clip shows that the worker is sound, and how long a render takes.
            self._backoff.reset()
            self._callbacks.rendered(running.job)
        self._end_job(running, outcome)

    def _on_worker_gone(self) -> None:
        """Forget the worker, which has ended. Fail its jobs, or return once the one that the worker had not begun."""
        self._worker = self._memory = self._next_job = None
        self._queries.fail_all()
        if self._state is State.READY:
            self._state = State.LOADING
        for running in list(self._running.values()):
            job = running.job
            if job.started_at is not None or running.is_stopping or job.attempts >= MAX_ATTEMPTS:
                self._end_job(running, RenderFailed("the worker process ended while it rendered this clip"))
            else:
                running.release()
                self._release_job(running)
                self._callbacks.returned(job)

    def _end_job(self, running: RunningJob, outcome: Outcome) -> None:
        running.end(outcome)
        self._release_job(running)
        self._callbacks.free()

    def _release_job(self, running: RunningJob) -> None:
        """Forget the job; stop the worker if this was its last job."""
        del self._running[running.job.key]
        if self._state is State.DRAINING and not self._running:
            self.stop()

    def _fail_to_load(self, reason: str) -> None:
        """Report that the model did not load, and count the failure, so that the next attempt waits longer."""
        self._backoff.fail()
        if self._state is not State.DRAINING:
            self._state, self._load_error = State.FAILED, reason
            self._callbacks.failed(self)
