"""File descriptors: as many as the system gives, some of them kept for files and workers."""

import asyncio
import errno
import logging
import resource
import time
from contextlib import suppress
from typing import Any

log = logging.getLogger("ltx23.descriptors")

# More than the server has open beside its connections.
RESERVED = 128
WANTED = 65_536
REPEAT_S = 60.0


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one, within reason, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a lower limit of its own, which it does not tell.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED if soft == resource.RLIM_INFINITY else soft


def fit_connections(max_connections: int) -> int:
    """Return how many connections may be open, so that accepting one never fails for want of a descriptor."""
    fitting = max(1, raise_descriptor_limit() - RESERVED)
    if fitting < max_connections:
        log.warning(
            "%d connections may be open, not %d: the limit of open files (ulimit -n) is too low",
            fitting,
            max_connections,
        )
    return min(fitting, max_connections)


class AcceptErrors:
    """An asyncio exception handler that tells once a minute that connections cannot be accepted.

    asyncio tells it of each attempt, and makes as many in a row as the backlog is long.
    """

    def __init__(self) -> None:
        self._told_at = -REPEAT_S

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        exc = context.get("exception")
        if not isinstance(exc, OSError) or exc.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._told_at >= REPEAT_S:
            self._told_at = time.monotonic()
            log.error("no connection can be accepted: too many files are open (ulimit -n)")
