"""Start, kill and await a child process with a socket to it.

Workers, captioners and media checkers are such children. Each leads a session of its own, so that Ctrl-C in the
terminal reaches the server alone, and a kill reaches whatever the child has started.
"""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress


class Child:
    """A running process, created by `start_child`; its creator kills it and waits for its end."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.process, self.reader, self._writer = process, reader, writer

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, data: bytes) -> None:
        """Send without waiting. A child that is gone takes nothing; its end tells the rest."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def read_line(self) -> bytes:
        """Return the next line, or nothing if no whole line will come. Raises ValueError if it exceeds the limit."""
        with suppress(OSError):
            line = await self.reader.readline()
            if line.endswith(b"\n"):
                return line
        return b""

    @property
    def has_ended(self) -> bool:
        """Return whether it has ended, perhaps before its socket is seen to be closed."""
        if self.reader.at_eof():
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def kill(self) -> None:
        """Kill it and whatever it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def disconnect(self) -> None:
        """Close this end of the socket: a process that a device holds in the kernel would keep the other one open."""
        self._writer.transport.abort()

    async def wait(self) -> int:
        """Wait until nothing of it is left, and return its exit code: negative for a signal, as in subprocess."""
        returncode = await asyncio.to_thread(self.process.wait)
        await _close(self._writer)
        return returncode


def exit_name(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"


async def start_child(program: Sequence[str], limit_bytes: int = 2**16) -> Child:
    """Start a program whose last argument is the descriptor of its end of the socket. Raises OSError.

    limit_bytes: of a line that is read.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=limit_bytes)
        try:
            process = _start(program, theirs.fileno())
        except OSError:
            await _close(writer)
            raise
    return Child(process, reader, writer)


def _start(program: Sequence[str], fd: int) -> subprocess.Popen[bytes]:
    command = [*program, str(fd)]
    return subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL, start_new_session=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close at once: nobody will read what the child has not read by now."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
