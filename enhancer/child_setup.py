"""What a child process of the server does first: it ends with its parent, and opens its socket to it.

It is called first of all, so it imports next to nothing.
"""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends, even while it is stopped. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextmanager
def parent_streams(fd: int) -> Iterator[tuple[TextIO, TextIO]]:
    """Open this end of the socket, for reading and for writing lines of text."""
    import socket

    with socket.socket(fileno=fd) as pipe:
        pipe.set_inheritable(False)  # a process started from here must not keep it open
        yield pipe.makefile("r", encoding="utf-8"), pipe.makefile("w", encoding="utf-8")
