"""The server's handle on a worker process: start, send, listen, kill. Knows no jobs."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from server.messages import FromWorker, ToWorker, WorkerConfig

WORKER_PROGRAM = (sys.executable, "-m", "server.worker_main")


@dataclass(frozen=True)
class Exited:
    """The process is gone; nothing more comes from it. returncode: negative for a signal, as in subprocess."""

    returncode: int


OnMessage = Callable[["Worker", FromWorker | Exited], None]


class Worker:
    """A running worker. `on_message` is called on the event loop, last of all with Exited."""

    def __init__(self, config: WorkerConfig, on_message: OnMessage, program: Sequence[str] = WORKER_PROGRAM) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        ours, theirs = socket.socketpair()
        with theirs:
            # In a session of its own: Ctrl-C in the terminal is the server's to answer.
            self._process = subprocess.Popen(
                [*program, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self._send(config)
        self._reader = threading.Thread(target=self._read, name=f"worker-{self.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: ToWorker) -> None:
        """A worker that is gone takes no message; its Exited tells what became of its job."""
        self._send(message)

    def kill(self) -> None:
        self._process.kill()

    def join(self) -> None:
        """Block until the process is gone and nothing more will be called."""
        self._reader.join()

    def _send(self, message: ToWorker | WorkerConfig) -> None:
        with suppress(OSError):
            self._connection.send(message)

    def _read(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                break
            self._call(message)
        # A closed pipe means the end of the process, by its own or by ours.
        self._process.kill()
        returncode = self._process.wait()
        self._connection.close()
        self._call(Exited(returncode))

    def _call(self, message: FromWorker | Exited) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._on_message, self, message)
