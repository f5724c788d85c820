"""Run a guarded process from the server: start it, read its output, and end it. Linux only."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO

GUARD = (sys.executable, "-P", "-m", "enhancer.guard")

# Seconds beyond the command's grace, for the guard to end what is left.
GUARD_S = 5.0

# Seconds for the last of the output, once every writer was killed.
DRAIN_S = 1.0

READ_BYTES = 64 * 1024


class _Output:
    """Read a pipe as it is written to, yielding to others between two reads."""

    def __init__(self, pipe: IO[bytes], on_output: Callable[[bytes], None]) -> None:
        self._pipe, self._on_output = pipe, on_output
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe, self._read)

    def close(self) -> None:
        if not self.closed.done():
            self._loop.remove_reader(self._pipe)
            self._pipe.close()
            self.closed.set_result(None)

    def _read(self) -> None:
        data = os.read(self._pipe.fileno(), READ_BYTES)
        if data:
            self._on_output(data)
        else:
            self.close()


class GuardedProcess:
    """A running process, created by `start_guarded`; its creator awaits `wait` or `end`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: str, grace_s: float, output: _Output) -> None:
        self._process, self._folder, self._grace_s, self._output = process, folder, grace_s, output
        self._exited = _watch_exit(process.pid)

    @property
    def has_ended(self) -> bool:
        return self._exited.done()

    async def has_ended_within(self, timeout_s: float) -> bool:
        await asyncio.wait({self._exited}, timeout=timeout_s)
        return self._exited.done()

    async def wait(self) -> int:
        """Return its exit code, negative for a signal, once nothing of it is left and all its output was read."""
        await asyncio.shield(self._exited)
        self._signal(os.killpg, signal.SIGKILL)  # for what a killed guard has left
        await asyncio.wait({self._output.closed}, timeout=DRAIN_S)
        self._output.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # also for a killed guard
        returncode = self._process.wait()
        return 128 - returncode if returncode > 128 else returncode

    async def end(self) -> int:
        """End it gracefully if it allows that; it may have ended already."""
        self._signal(os.kill, signal.SIGTERM)
        if not await self.has_ended_within(self._grace_s + GUARD_S):
            self._signal(os.killpg, signal.SIGKILL)
        return await self.wait()

    def _signal(self, send: Callable[[int, int], None], signum: int) -> None:
        """Send a signal unless it was reaped: its pid may belong to another process."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                send(self._process.pid, signum)


def start_guarded(command: Sequence[str], grace_s: float, on_output: Callable[[bytes], None]) -> GuardedProcess:
    """Start it in a session of its own, so that Ctrl-C in the terminal reaches the server alone.

    on_output: called with its standard output and error. Raises OSError.
    """
    folder = tempfile.mkdtemp(prefix="ltx23-")
    process = subprocess.Popen(
        [*GUARD, str(grace_s), folder, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    return GuardedProcess(process, folder, grace_s, _Output(process.stdout, on_output))


def _watch_exit(pid: int) -> asyncio.Future[None]:
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[None] = loop.create_future()
    pidfd = os.pidfd_open(pid)

    def on_exit() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        exited.set_result(None)

    loop.add_reader(pidfd, on_exit)
    return exited
