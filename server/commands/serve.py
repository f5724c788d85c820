"""`ltx23 serve`: run the application on a socket and announce its progress on the terminal."""

import errno
import gc
import logging
import signal
import socket
import sys
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from server.app import create_app
from server.commands.announce import Announcer
from server.commands.devices import resolve_devices
from server.commands.draining import DrainingServer
from server.commands.weight_names import resolve_weights
from server.edge.connection import Connection, ConnectionLimits
from server.edge.key_ring import KeyRingError
from server.edge.pace import Pace
from server.jobs.workspace import Workspace
from server.process.descriptors import fit_connections
from server.process.heap import keep_one_heap
from server.process.logs import configure_logging
from server.settings import Settings, SettingsError, load_settings
from server.videos.data_dir import DataDir
from server.videos.errors import DataDirError
from server.worker.messages import FromWorker, LoadFailed
from weights.errors import WeightsError

# Connections that the system completes before the server accepts them.
BACKLOG = 128


def serve(**options: Any) -> int:
    keep_one_heap()
    try:
        settings = resolve_devices(resolve_weights(load_settings(**options)))
        _validate_temp_dir(settings)
        _validate_data_dir(settings)
        listener = listen(settings)
        return _run(settings, listener)
    except (SettingsError, WeightsError, KeyRingError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


def _validate_temp_dir(settings: Settings) -> None:
    try:
        Workspace(settings.temp_dir).close()
    except OSError as exc:
        raise SettingsError(
            f"LTX23_TEMP_DIR / --temp-dir: {settings.temp_dir or 'the system temporary folder'} cannot be written to: "
            f"{exc.strerror or exc}"
        ) from exc


def _validate_data_dir(settings: Settings) -> None:
    try:
        DataDir(settings.data_dir).close()
    except DataDirError as exc:
        raise SettingsError(f"LTX23_DATA_DIR / --data-dir: {exc}") from exc


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


def create_http_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Create uvicorn's configuration, with the limits of connections."""
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
        # ForwardedHeaders reads these headers, from trusted proxies only.
        proxy_headers=False,
    )


def _run(settings: Settings, listener: socket.socket) -> int:
    announcer = Announcer(settings, listener.getsockname()[1])
    failed = False

    def on_event(event: FromWorker) -> None:
        nonlocal failed
        announcer(event)
        if isinstance(event, LoadFailed) and not announcer.was_ready:
            # Nothing was ever served: end the server, which could only answer 503.
            failed = server.should_exit = True

    configure_logging(settings.log_level, settings.log_format)
    config = create_http_config(create_app(settings, on_event), settings)
    # uvicorn says "running" long before the model is loaded; the announcer reports that instead.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    server = DrainingServer(config, settings.drain_s)
    announcer.start()
    _exit_quietly_on_signals(server)
    server.run(sockets=[listener])
    # Otherwise the interpreter's last garbage collection takes half a second.
    gc.freeze()
    return 1 if failed else 0


def _exit_quietly_on_signals(server: uvicorn.Server) -> None:
    """Handle signals that come before and after uvicorn runs: early ones are not lost, and late ones are harmless."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, server.handle_exit)
