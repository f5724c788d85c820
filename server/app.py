"""The application: routes, errors and edge around one engine. Knows no process and no model."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from server.dispatcher import Dispatcher
from server.edge.body_limit import BodyLimit
from server.edge.keys import OPEN_PATHS, ApiKeys, KeyRing
from server.edge.request_id import RequestId
from server.edge.security_headers import SecurityHeaders
from server.engine import Engine, limits, worker_config
from server.enhancement import create_enhancer
from server.errors import install_error_answers
from server.messages import FromWorker
from server.routes import enhance, generate, status
from server.settings import Settings
from server.worker import WORKER_PROGRAM
from server.workspace import Workspace

OnEvent = Callable[[FromWorker], None]


def create_app(
    settings: Settings, on_event: OnEvent = lambda event: None, program: Sequence[str] = WORKER_PROGRAM
) -> ASGIApp:
    """The whole server as one ASGI application. Raises KeyRingError when the keys cannot be used.

    program: what a worker runs.
    """
    key_ring = KeyRing(settings.api_keys, settings.api_keys_file)
    app = create_api(settings, on_event, len(key_ring), program)
    # Around the application, so that its last-resort 500 has an id too.
    keyed = ApiKeys(BodyLimit(app, settings.max_body_bytes), key_ring, OPEN_PATHS | {"/docs"})
    return RequestId(SecurityHeaders(keyed))


def create_api(
    settings: Settings, on_event: OnEvent, key_count: int, program: Sequence[str] = WORKER_PROGRAM
) -> FastAPI:
    app = FastAPI(
        title="LTX-23-Video",
        description="A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video.",
        version="0.1.0",
        lifespan=_lifespan(settings, on_event, key_count, program),
    )
    app.include_router(status.router)
    app.include_router(enhance.router)
    # Last: clients take the last POST path whose body has a `prompt` for the one that makes videos.
    app.include_router(generate.router)
    install_error_answers(app)
    return app


def _lifespan(
    settings: Settings, on_event: OnEvent, key_count: int, program: Sequence[str]
) -> Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        dispatcher = Dispatcher(worker_config(settings), limits(settings, key_count), on_event, program)
        workspace = Workspace(settings.temp_dir)
        enhancer = create_enhancer(settings)
        app.state.engine = Engine(settings, dispatcher, workspace, enhancer)
        try:
            enhancer.start()
            dispatcher.start()
            # For whoever runs the server: it shows in ASGI's lifespan state.
            yield {"engine": app.state.engine}
        finally:
            dispatcher.stop()
            await dispatcher.stopped()
            await enhancer.aclose()
            workspace.close()

    return lifespan
