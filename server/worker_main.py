"""The worker process: owns one pipeline, renders one job at a time, talks through one pipe. Knows no HTTP.

Run as `python -m server.worker_main FD`, FD being its end of a socket pair. It ends when the other end is closed.
"""

import logging
import os
import sys
import threading
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, NoReturn

from pipelines.errors import Cancelled, ImageError, OutOfMemory, PipelineError, SpecError
from pipelines.ltx.trace import Trace
from server.garbage import collecting_later
from server.heap import trim_heap
from server.logs import configure_logging
from server.messages import (
    Cancel,
    Done,
    Failed,
    FailureKind,
    FromWorker,
    Generate,
    LoadFailed,
    Loading,
    Progress,
    Ready,
    Started,
    ToWorker,
    WorkerConfig,
)
from server.threads import wait_passively
from weights.errors import WeightsError

if TYPE_CHECKING:
    from server.model import Model

log = logging.getLogger("ltx23.worker")

# A message per component and percent is plenty; a checkpoint has thousands of tensors.
LOADING_INTERVAL_S = 0.2
MEMORY_INTERVAL_S = 2.0

# Exit code of a worker that another one has to replace.
DEVICE_LOST = 3


class Pipe:
    """Both directions of the pipe. Incoming messages are read by a thread, so that a render can be cancelled."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # a process started from here must not keep the pipe open
        self._connection = Connection(fd)
        self._send_lock = threading.Lock()
        self._cancelled_id: str | None = None
        self.jobs: SimpleQueue[Generate] = SimpleQueue()

    def receive_config(self) -> WorkerConfig:
        config = self._receive()
        assert isinstance(config, WorkerConfig)
        return config

    def start_reading(self) -> None:
        threading.Thread(target=self._read, name="pipe", daemon=True).start()

    def send(self, message: FromWorker) -> None:
        try:
            with self._send_lock:
                self._connection.send(message)
        except OSError:
            _server_gone()

    def is_cancelled(self, job_id: str) -> bool:
        return job_id == self._cancelled_id

    def _read(self) -> None:
        while True:
            message = self._receive()
            if isinstance(message, Cancel):
                # Of the last job that came, or of one that has ended by now: ids are not used twice.
                self._cancelled_id = message.job_id
            elif isinstance(message, Generate):
                self.jobs.put(message)

    def _receive(self) -> ToWorker | WorkerConfig:
        try:
            message: ToWorker | WorkerConfig = self._connection.recv()
            return message
        except (EOFError, OSError):
            _server_gone()


def _server_gone() -> NoReturn:
    """What runs is of no use to anyone, and a step cannot be left in another way."""
    os._exit(0)


class JobTrace(Trace):
    """Reports each step and stops between steps when asked to."""

    def __init__(self, pipe: Pipe, job_id: str) -> None:
        self._pipe, self._job_id = pipe, job_id
        self._stage, self._step, self._steps = "", 0, 0

    def stage(self, name: str, steps: int) -> None:
        self._stage, self._step, self._steps = name, 0, steps
        self._report()

    def step(self, count: int = 1) -> None:
        self._step += count
        self._report()

    def _report(self) -> None:
        if self._pipe.is_cancelled(self._job_id):
            raise Cancelled("cancelled between steps")
        self._pipe.send(Progress(self._job_id, self._stage, self._step, self._steps))


class LoadingReport:
    """Loading messages, not more often than a person can read."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe, self._component, self._sent = pipe, "", 0.0

    def __call__(self, component: str, done_bytes: int, total_bytes: int) -> None:
        now = time.monotonic()
        if component != self._component or now - self._sent > LOADING_INTERVAL_S or done_bytes == total_bytes:
            self._pipe.send(Loading(component, done_bytes, total_bytes))
            self._component, self._sent = component, now


def run(pipe: Pipe) -> int:
    config = pipe.receive_config()
    configure_logging(config.log_level, config.log_format)
    pipe.start_reading()
    try:
        with collecting_later():
            from server.model import load_model

            model = load_model(config, LoadingReport(pipe))
    except WeightsError as exc:
        pipe.send(LoadFailed(str(exc)))
        return 1
    pipe.send(Ready(model.info))
    threading.Thread(target=_watch_memory, args=(pipe, model), name="memory", daemon=True).start()
    while True:
        job = pipe.jobs.get()
        pipe.send(Started(job.job_id))
        pipe.send(_render(pipe, model, job))
        trim_heap()


def _render(pipe: Pipe, model: "Model", job: Generate) -> Done | Failed:
    try:
        timings_s = model.render(job.spec, job.path, JobTrace(pipe, job.job_id))
        return Done(job.job_id, timings_s, job.path.stat().st_size)
    except Cancelled as exc:
        return Failed(job.job_id, FailureKind.CANCELLED, str(exc))
    except (SpecError, ImageError) as exc:
        return Failed(job.job_id, FailureKind.INVALID, str(exc))
    except OutOfMemory as exc:
        log.error("job %s: %s", job.job_id, exc)
        return Failed(job.job_id, FailureKind.OUT_OF_MEMORY, str(exc))
    except PipelineError as exc:
        log.error("job %s: %s", job.job_id, exc)
        return Failed(job.job_id, FailureKind.INTERNAL, str(exc))
    except Exception:
        log.exception("job %s failed", job.job_id)
        _report_memory(pipe, model)
        return Failed(job.job_id, FailureKind.INTERNAL, "the render failed; the server's log has the reason")


def _watch_memory(pipe: Pipe, model: "Model") -> None:
    while True:
        _report_memory(pipe, model)
        time.sleep(MEMORY_INTERVAL_S)


def _report_memory(pipe: Pipe, model: "Model") -> None:
    """Ends the process when the device does not answer: a CUDA context that has failed once fails for ever."""
    try:
        memory = model.memory()
    except RuntimeError:
        log.exception("the device is lost")
        os._exit(DEVICE_LOST)
    pipe.send(memory)


def main() -> int:
    wait_passively()
    return run(Pipe(int(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
