"""The socket that a command listens on, and uvicorn on it."""

import errno
import logging
import signal
import socket
import sys
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from server.edge.browser_guard import BrowserGuard
from server.edge.connection import Connection, ConnectionLimits
from server.edge.pace import Pace
from server.process.descriptors import fit_connections
from server.settings import Settings, SettingsError

# Connections that the system completes before the server accepts them.
BACKLOG = 128
# How long answers may take to end after a stop signal, where nothing else is said.
CLOSING_S = 2


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


def listening_url(host: str, port: int) -> str:
    """Return the address under which a client on this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


async def run_application(app: ASGIApp, settings: Settings, purpose: str) -> None:
    """Serve an application without keys until a signal comes. purpose: completes the sentence with its address.

    Raises SettingsError if it cannot listen.
    """
    guarded = BrowserGuard(app, settings.allowed_hosts, settings.cors_origins)
    config = create_http_config(guarded, settings, date_header=False)
    config.lifespan, config.timeout_graceful_shutdown = "off", CLOSING_S
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    exit_quietly_on_signals(server)
    if settings.bind_host != settings.host:
        note = f"This listens on loopback only, not on {settings.host}, unless you say --allow-no-key."
        print(note, file=sys.stderr)
    with listen(settings) as listener:
        url = listening_url(settings.bind_host, listener.getsockname()[1])
        print(f"{url} {purpose}", file=sys.stderr, flush=True)
        await server.serve(sockets=[listener])
