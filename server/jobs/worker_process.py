"""The server's side of a worker process: start it, talk with it, see to its end. Knows no jobs.

The worker's end of the pipe is a multiprocessing Connection. This end is an asyncio stream of the same frames, a length
and a pickle, so that a worker which does not read, or talks without end, never holds up the event loop.
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

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative for a signal, as in subprocess."""
        return self._child.process.returncode

    def send(self, message: ToWorker | WorkerConfig) -> None:
        """Never waits. A worker that is gone takes no message; its end tells what became of its job."""
        data = pickle.dumps(message)
        self._child.send(FRAME_HEADER.pack(len(data)) + data)

    async def receive(self) -> FromWorker | None:
        """Its next message; None when there will be no more."""
        try:
            (size_bytes,) = FRAME_HEADER.unpack(await self._child.reader.readexactly(FRAME_HEADER.size))
            message: FromWorker = pickle.loads(await self._child.reader.readexactly(size_bytes))
            return message
        except (asyncio.IncompleteReadError, OSError):
            return None
        except _UNREADABLE as exc:
            log.error("worker %d sent what is no message: %s", self.pid, exc)
            self.kill()
            return None

    def kill(self) -> None:
        """Kill it and whatever it has started. Nothing is received any more."""
        self._child.kill()
        self._child.hang_up()


@asynccontextmanager
async def run_worker(config: WorkerConfig, program: Sequence[str] = WORKER_PROGRAM) -> AsyncIterator[Worker]:
    """A worker for as long as the context; the process is gone when this returns.

    When the context ends in order, because there are no more messages, it may end by itself first. Raises OSError when
    it cannot be started.
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
