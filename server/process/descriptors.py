"""File descriptors: use as many as the system allows, and keep some of them for files and workers."""

import asyncio
import errno
import logging
import resource
from contextlib import suppress
from typing import Any

from server.process.logs import OnceAMinute

log = logging.getLogger("ltx23.descriptors")
log.addFilter(OnceAMinute())

# More than the server has open in addition to its connections.
RESERVED = 128
WANTED = 65_536


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard limit, but to at most WANTED, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS has a lower limit of its own, which it does not report.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return WANTED if soft == resource.RLIM_INFINITY else soft


def fit_connections(max_connections: int) -> int:
    """Return how many connections may be open so that accepting one never fails for lack of a descriptor."""
    fitting = max(1, raise_descriptor_limit() - RESERVED)
    if fitting < max_connections:
        log.warning(
            "%d connections may be open, not %d: the limit of open files (ulimit -n) is too low",
            fitting,
            max_connections,
        )
    return min(fitting, max_connections)


def log_accept_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a lack of descriptors in one line, and leave every other error to asyncio's own handler.

    asyncio reports every failed attempt to accept a connection, and makes up to a backlog's worth of attempts in a row.
    """
    exc = context.get("exception")
    if isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE):
        log.error("no connection can be accepted: too many files are open (ulimit -n)")
    else:
        loop.default_exception_handler(context)
