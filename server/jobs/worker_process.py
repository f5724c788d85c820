"""The server's side of a worker process: start it, exchange messages with it, and end it. Independent of jobs.

The worker's end of the pipe is a multiprocessing Connection. This end is an asyncio stream of the same frames, a length
and a pickle, so that a worker that does not read, or sends without end, never blocks the event loop.
"""

import asyncio
import logging
import pickle
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from enhancer.child import Child, start_child
from server.worker.messages import FromWorker, ToWorker, WorkerConfig

log = logging.getLogger("ltx23.worker")

# -P: do not import from the folder that the server was started in, which may hold a server.py.
WORKER_PROGRAM = (sys.executable, "-P", "-m", "server.worker.main")

# multiprocessing.connection.Connection._send_bytes
FRAME_HEADER = struct.Struct("!i")

# How long a worker that has closed its pipe may take to exit by itself, with its own exit code.
EXIT_S = 5.0

# What pickle is documented to raise on bad data; ValueError: a negative length.
_UNREADABLE = (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError)


class Worker:
    """A running worker process, created by `run_worker`."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code: None while it runs, negative for a signal, as in subprocess."""
        return self._child.process.returncode

    def send(self, message: ToWorker | WorkerConfig) -> None:
        """Send without waiting. A worker that is gone receives nothing; its end decides what happens to its job."""
        data = pickle.dumps(message)
        self._child.send(FRAME_HEADER.pack(len(data)) + data)

    async def receive(self) -> FromWorker | None:
        """Return its next message, or None if there will be no more."""
        try:
            (size_bytes,) = FRAME_HEADER.unpack(await self._child.reader.readexactly(FRAME_HEADER.size))
            message: FromWorker = pickle.loads(await self._child.reader.readexactly(size_bytes))
            return message
        except (asyncio.IncompleteReadError, OSError):
            return None
        except _UNREADABLE as exc:
            log.error("worker %d sent an invalid message: %s", self.pid, exc)
            self.kill()
            return None

    def kill(self) -> None:
        """Kill it and every process it has started. No further message is received."""
        self._child.kill()
        self._child.disconnect()


@asynccontextmanager
async def run_worker(config: WorkerConfig, program: Sequence[str] = WORKER_PROGRAM) -> AsyncIterator[Worker]:
    """Run a worker for the duration of the context; the process is gone when the context ends.

    When the context ends without an exception, because there are no more messages, the worker gets time to exit by
    itself. Raises OSError if it cannot be started.
    """
    child = await start_child(program)
    worker = Worker(child)
    worker.send(config)
    try:
        yield worker
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(child.process.wait, EXIT_S)
    finally:
        worker.kill()
        await child.wait()
