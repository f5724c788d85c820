"""Guard a foreign process: it ends when this server ends, however that happens. Linux only.

Run as `python -P -m enhancer.guard GRACE_S FOLDER COMMAND...`. It starts the command and ends it, with everything that
it has started, when its own standard input is closed, which the kernel does when the server is killed. On SIGTERM the
command first gets that signal and GRACE_S seconds. The exit code is the command's; 128 + N for signal N, as in a shell.

The command's temporary files lie in FOLDER, which is deleted with it.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import psutil

from enhancer.child_setup import die_with_parent

# From <linux/prctl.h>.
PR_SET_CHILD_SUBREAPER = 36

# A shell's exit code for a command that it cannot start.
NOT_STARTED = 127

# Seconds between two checks of processes that were killed but are not gone yet.
REAP_S = 0.01

STDIN = 0


def run(grace_s: float, folder: str, command: Sequence[str]) -> int:
    signalled = _catch_signals()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        process = _start(command, folder)
    except OSError as exc:
        print(f"{command[0]} cannot be started: {exc.strerror or exc}", flush=True)
        return NOT_STARTED
    if _wait([STDIN, signalled], process, None) == [signalled]:
        process.terminate()
        _wait([STDIN], process, grace_s)
    returncode = _end_all(process)
    shutil.rmtree(folder, ignore_errors=True)
    return returncode


def _catch_signals() -> int:
    """Return a descriptor that becomes readable on a signal. What it starts gets the original handlers."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, lambda *_: None)
    return readable


def _start(command: Sequence[str], folder: str) -> subprocess.Popen[bytes]:
    """Start the command so that it dies with this process, should that be killed as well."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": folder},
        preexec_fn=die_with_parent,
    )


def _wait(readable: list[int], process: subprocess.Popen[bytes], timeout_s: float | None) -> list[int]:
    """Wait until a descriptor is readable or the process has ended."""
    pidfd = os.pidfd_open(process.pid)
    try:
        return select.select([*readable, pidfd], [], [], timeout_s)[0]
    finally:
        os.close(pidfd)


def _end_all(process: subprocess.Popen[bytes]) -> int:
    """End everything, including what has left the process group: every orphan below becomes a child of this process."""
    while descendants := psutil.Process().children(recursive=True):
        for descendant in descendants:
            with suppress(psutil.NoSuchProcess):
                descendant.kill()
        process.wait()
        _reap()
        time.sleep(REAP_S)
    returncode = process.wait()
    return returncode if returncode >= 0 else 128 - returncode


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
