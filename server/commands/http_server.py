"""The socket that a command listens on, and uvicorn's configuration for it."""

import errno
import signal
import socket
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from server.edge.connection import Connection, ConnectionLimits
from server.edge.pace import Pace
from server.process.descriptors import fit_connections
from server.settings import Settings, SettingsError

# Connections that the system completes before the server accepts them.
BACKLOG = 128


def listen(settings: Settings) -> socket.socket:
    """Return the socket that clients connect to. Raises SettingsError."""
    host, port = settings.bind_host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or "not a host name"
        is_host = not isinstance(exc, OSError) or isinstance(exc, socket.gaierror) or exc.errno == errno.EADDRNOTAVAIL
        wrong = "host" if is_host else "port"
        raise SettingsError(f"cannot listen on {host} port {port}: {reason}; choose another --{wrong}") from exc
    # Every connection inherits this. asyncio sets it only on sockets that name their protocol. Without it, a client
    # that keeps its connection waits 40 ms, its own delayed acknowledgement, between an answer's headers and its body.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def create_http_config(app: ASGIApp, settings: Settings, *, date_header: bool = True) -> uvicorn.Config:
    """Create uvicorn's configuration, with the limits of connections. date_header: add a Date to every answer."""
    limits = ConnectionLimits(
        max_connections=fit_connections(settings.max_connections),
        head_s=settings.head_timeout_s,
        pace=Pace(settings.stall_timeout_s, settings.min_bytes_per_s),
    )
    return uvicorn.Config(
        app,
        # h11 is the strict one of uvicorn's parsers, and is written in Python.
        http=partial(Connection, limits=limits),  # type: ignore[arg-type]
        ws="none",
        backlog=BACKLOG,
        # Annotated as an int, but fractions of a second work.
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type]
        # uvicorn's loggers use our handlers; `ltx23.request` logs requests and answers.
        log_config=None,
        access_log=False,
        log_level=settings.log_level.lower(),
        server_header=False,
        date_header=date_header,
        # ForwardedHeaders reads these headers, from trusted proxies only.
        proxy_headers=False,
    )


def exit_quietly_on_signals(server: uvicorn.Server) -> None:
    """Handle signals that come before and after uvicorn runs: early ones are not lost, and late ones are harmless."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, server.handle_exit)
