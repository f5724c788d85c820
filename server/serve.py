"""`ltx23 serve`: the application on a socket, and what the terminal says meanwhile."""

import logging
import signal
import socket
import sys
from typing import Any

import uvicorn

from server.announce import Announcer
from server.app import create_app
from server.edge.keys import KeyRingError
from server.messages import FromWorker, LoadFailed
from server.settings import Settings, SettingsError, load_settings


def serve(**options: Any) -> int:
    try:
        settings = load_settings(**options)
        listener = _listen(settings)
        return _run(settings, listener)
    except (SettingsError, KeyRingError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.bind_host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        reason = exc.strerror or exc
        raise SettingsError(f"cannot listen on {host} port {port}: {reason}; choose another --port") from exc


def _run(settings: Settings, listener: socket.socket) -> int:
    announcer = Announcer(settings, listener.getsockname()[1])
    failed = False

    def on_event(event: FromWorker) -> None:
        nonlocal failed
        announcer(event)
        if isinstance(event, LoadFailed) and not announcer.was_ready:
            # Nothing was ever served: better no server than one that only says 503.
            failed = server.should_exit = True

    config = uvicorn.Config(
        create_app(settings, on_event),
        http="h11",
        log_level=settings.log_level.lower(),
        server_header=False,
        timeout_graceful_shutdown=max(1, int(settings.grace_s)),
    )
    # Its "running" would come long before the model is there; the announcer knows better.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))
    server = uvicorn.Server(config)
    announcer.start()
    _exit_quietly_on_signals()
    server.run(sockets=[listener])
    return 1 if failed else 0


def _exit_quietly_on_signals() -> None:
    """uvicorn raises the signals it caught once more when it has shut down in order; that was the answer to them."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: None)
