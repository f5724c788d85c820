"""The worker process: owns one pipeline, renders jobs, talks through one pipe. Independent of HTTP.

Run as `python -m server.worker.main FD`, where FD is its end of a socket pair. It ends when the other end is closed.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from enhancer.child_setup import die_with_parent
from server.process.heap import keep_one_heap
from server.process.logs import configure_logging
from server.process.torch_environment import configure_allocator, wait_passively
from server.worker.garbage import postponed_gc
from server.worker.line import Line
from server.worker.memory import host_memory
from server.worker.messages import FoundCut, Generate, LoadFailed, Loading, Ready
from server.worker.pipe import Pipe
from weights.errors import WeightsError

if TYPE_CHECKING:
    from server.worker.model import Model

log = logging.getLogger("ltx23.worker")

# Limits the number of messages: a checkpoint has thousands of tensors.
LOADING_INTERVAL_S = 0.2
HEARTBEAT_S = 2.0

# Exit code of a worker that must be replaced because its device is lost.
DEVICE_LOST = 3


class LoadingReport:
    """Sends loading messages, no more often than a person can read them."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe, self._component, self._sent = pipe, "", 0.0

    def __call__(self, component: str, done_bytes: int, total_bytes: int) -> None:
        now = time.monotonic()
        if component != self._component or now - self._sent > LOADING_INTERVAL_S or done_bytes == total_bytes:
            self._pipe.send(Loading(component, done_bytes, total_bytes))
            self._component, self._sent = component, now


class HeartbeatSender:
    """Sends the process's memory use every two seconds as a sign of life, with the device's once a model is loaded.

    Ends the process when the device reports an error: a CUDA context that has failed once stays broken. If the device
    does not answer at all, no message is sent, and the server notices the silence.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.model: Model | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def send(self) -> None:
        try:
            memory = host_memory() if self.model is None else self.model.memory()
        except RuntimeError:
            log.exception("the device is lost")
            os._exit(DEVICE_LOST)
        self._pipe.send(memory)

    def _run(self) -> None:
        while True:
            self.send()
            time.sleep(HEARTBEAT_S)


def run(pipe: Pipe) -> int:
    config = pipe.receive_config()
    configure_logging(config.log_level, config.log_format)
    pipe.start_reading()
    heartbeat = HeartbeatSender(pipe)
    heartbeat.start()
    try:
        with postponed_gc():
            from server.worker.model import load_model
            from server.worker.previewer import Previewer, find_viewer, fit_while_idle

            model = load_model(config, LoadingReport(pipe))
            vae = model.components.video_vae
            viewer = find_viewer(vae, config.cache_dir, config.preview_vae)
            previewer = Previewer(viewer, pipe.is_watched, pipe.send)
    except WeightsError as exc:
        pipe.send(LoadFailed(str(exc)))
        return 1
    heartbeat.model = model
    threading.Thread(target=_answer_queries, args=(pipe, model), name="queries", daemon=True).start()
    line = Line(pipe, model, previewer, validate_device=heartbeat.send)
    pipe.send(Ready(model.info))
    heartbeat.send()
    idle_work = fit_while_idle(previewer, vae, config.cache_dir)
    while True:
        line.render(next_job(pipe.jobs, idle_work))


def next_job(jobs: "SimpleQueue[Generate]", idle_work: Iterator[None]) -> Generate:
    """Return the next job. Until it is there, do a piece of idle work after the other."""
    while True:
        with suppress(Empty):
            return jobs.get_nowait()
        try:
            next(idle_work)
        except StopIteration:
            return jobs.get()


def _answer_queries(pipe: Pipe, model: "Model") -> None:
    """Answer queries in a thread of its own while jobs render: the answer is needed before a job is queued."""
    while True:
        query = pipe.queries.get()
        try:
            cut = model.components.encode_prompt.find_cut(query.prompt)
        except Exception:
            # The render of this prompt will fail in the same way and report the error to its client.
            log.exception("a prompt cannot be tokenized")
            cut = None
        pipe.send(FoundCut(query.number, cut))


def main() -> int:
    # The worker ends when the server closes the pipe, but a stopped process does not notice that.
    die_with_parent()
    keep_one_heap()
    wait_passively()
    configure_allocator()
    return run(Pipe(int(sys.argv[1])))


if __name__ == "__main__":
    sys.exit(main())
