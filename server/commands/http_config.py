"""Create uvicorn's configuration from the settings, with the limits of connections."""

from functools import partial

import uvicorn
from starlette.types import ASGIApp

from server.edge.connection import Connection, ConnectionLimits
from server.edge.pace import Pace
from server.process.descriptors import fit_connections
from server.settings import Settings

# Connections that the system completes before the server accepts them.
BACKLOG = 128


def create_http_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
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
