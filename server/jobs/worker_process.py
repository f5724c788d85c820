"""The server's side of a worker process: start it, talk with it, see to its end. Knows no jobs.

The worker's end of the pipe is a multiprocessing Connection. This end is an asyncio stream of the same frames, a length
and a pickle, so that a worker which does not read, or talks without end, never holds up the event loop.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from server.messages import FromWorker, ToWorker, WorkerConfig

log = logging.getLogger("ltx23.worker")

# -P: the folder that the server was started in is nobody's package, even where it holds a server.py.
WORKER_PROGRAM = (sys.executable, "-P", "-m", "server.worker.main")

# multiprocessing.connection.Connection._send_bytes
FRAME_HEADER = struct.Struct("!i")

# How long a worker that has closed its pipe may take to end by itself, with an exit code of its own.
EXIT_S = 5.0

# What pickle says it raises on bytes that are none of ours; ValueError: a negative length.
_UNREADABLE = (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError)


class Worker:
    """A running worker process. Made by `run_worker`."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative for a signal, as in subprocess."""
        return self._process.returncode

    def send(self, message: ToWorker | WorkerConfig) -> None:
        """Never waits. A worker that is gone takes no message; its end tells what became of its job."""
        data = pickle.dumps(message)
        if not self._writer.is_closing():
            self._writer.write(FRAME_HEADER.pack(len(data)) + data)

    async def receive(self) -> FromWorker | None:
        """Its next message; None when there will be no more."""
        try:
            (size_bytes,) = FRAME_HEADER.unpack(await self._reader.readexactly(FRAME_HEADER.size))
            message: FromWorker = pickle.loads(await self._reader.readexactly(size_bytes))
            return message
        except (asyncio.IncompleteReadError, OSError):
            return None
        except _UNREADABLE as exc:
            log.error("worker %d sent what is no message: %s", self.pid, exc)
            self.kill()
            return None

    def kill(self) -> None:
        """It and whatever it has started: its process group is its own. Nothing is received any more."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        # A process that a device holds in the kernel would keep its end open.
        self._writer.transport.abort()


@asynccontextmanager
async def run_worker(config: WorkerConfig, program: Sequence[str] = WORKER_PROGRAM) -> AsyncIterator[Worker]:
    """A worker for as long as the context; the process is gone when this returns.

    When the context ends in order, because there are no more messages, it may end by itself first. Raises OSError when
    it cannot be started.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            process = _start_process(program, theirs.fileno())
        except OSError:
            await _close(writer)
            raise
    worker = Worker(process, reader, writer)
    worker.send(config)
    try:
        yield worker
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, EXIT_S)
    finally:
        worker.kill()
        await asyncio.to_thread(process.wait)
        await _close(writer)


def _start_process(program: Sequence[str], pipe_fd: int) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in the terminal is the server's to answer."""
    command = [*program, str(pipe_fd)]
    return subprocess.Popen(command, pass_fds=[pipe_fd], stdin=subprocess.DEVNULL, start_new_session=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    """At once: what the worker has not read by now, nobody will."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
