"""The worker's end of the pipe. Independent of the model."""

import os
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import NoReturn

from server.worker.messages import Cancel, FindCut, FromWorker, Generate, ToWorker, WorkerConfig


class Pipe:
    """Both directions of the pipe. A thread reads incoming messages, so that a render can be cancelled."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # a process started from here must not keep the pipe open
        self._connection = Connection(fd)
        self._send_lock = threading.Lock()
        self._cancelled_id: str | None = None
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
        return job_id == self._cancelled_id

    def _read(self) -> None:
        while True:
            message = self._receive()
            if isinstance(message, Cancel):
                # Names the last job received, or one that has ended: ids are never reused.
                self._cancelled_id = message.job_id
            elif isinstance(message, Generate):
                self.jobs.put(message)
            elif isinstance(message, FindCut):
                self.queries.put(message)

    def _receive(self) -> ToWorker | WorkerConfig:
        try:
            message: ToWorker | WorkerConfig = self._connection.recv()
            return message
        except (EOFError, OSError):
            _server_gone()


def _server_gone() -> NoReturn:
    """End the process: nobody needs what it is doing, and a running step cannot be interrupted otherwise."""
    os._exit(0)
