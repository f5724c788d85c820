"""The worker's end of the pipe. Independent of the model."""

import os
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, NoReturn

from server.worker.messages import (
    Cancel,
    FindCut,
    FromWorker,
    Generate,
    Prepare,
    ToWorker,
    Unwatch,
    Watch,
    WorkerConfig,
)
from server.worker.preparer import Preparer


class Pipe:
    """Both directions of the pipe. A thread reads incoming messages, so that a render can be cancelled.

    preparer: gets the jobs that are next; to be set before Ready is sent.
    """

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # a process started from here must not keep the pipe open
        self._connection = Connection(fd)
        self._send_lock = threading.Lock()
        self._cancelled: dict[str, threading.Event] = {}  # by the id of each job that has not ended
        self._watched: set[str] = set()
        self.preparer: Preparer[Any] | None = None
        self.jobs: SimpleQueue[Generate] = SimpleQueue()
        self.queries: SimpleQueue[FindCut] = SimpleQueue()

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
        return job_id in self._cancelled and self._cancelled[job_id].is_set()

    def is_watched(self, job_id: str) -> bool:
        return job_id in self._watched

    def forget(self, job_id: str) -> None:
        """Forget a job that has ended: a Cancel may still come for it."""
        del self._cancelled[job_id]
        self._watched.discard(job_id)

    def _read(self) -> None:
        while True:
            match self._receive():
                case Cancel(job_id):
                    self._on_cancel(job_id)
                case Watch(job_id) if job_id in self._cancelled:
                    self._watched.add(job_id)
                case Unwatch(job_id):
                    self._watched.discard(job_id)
                case FindCut() as query:
                    self.queries.put(query)
                case Prepare() as message if self.preparer is not None:
                    self.preparer.begin(message)
                case Generate() as message:
                    self._on_generate(message)

    def _on_generate(self, message: Generate) -> None:
        self._cancelled[message.job_id] = threading.Event()
        if self.preparer is not None:
            # Now, because the next message may be about another job.
            self.preparer.claim(message.job_id)
        self.jobs.put(message)

    def _on_cancel(self, job_id: str) -> None:
        job = self._cancelled.get(job_id)
        if job is not None:
            job.set()
        if self.preparer is not None:
            self.preparer.drop(job_id)

    def _receive(self) -> ToWorker | WorkerConfig:
        try:
            message: ToWorker | WorkerConfig = self._connection.recv()
            return message
        except (EOFError, OSError):
            _server_gone()


def _server_gone() -> NoReturn:
    """End the process: nobody needs what it is doing, and a running step cannot be interrupted otherwise."""
    os._exit(0)
