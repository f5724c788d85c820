"""The application: routes, errors and edge around one engine. Knows no process and no model."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from server.dispatcher import Dispatcher
from server.edge.body_limit import BodyLimit
from server.edge.exchange import Exchanges
from server.edge.keys import OPEN_PATHS, ApiKeys, KeyRing
from server.edge.request_id import RequestId
from server.edge.security_headers import SecurityHeaders
from server.engine import Engine, limits, worker_config
from server.enhancement import create_enhancer
from server.errors import install_error_answers
from server.messages import FromWorker
from server.routes import enhance, generate, metrics, status
from server.settings import Settings
from server.telemetry.live import LiveMetrics
from server.telemetry.telemetry import Telemetry, create_telemetry
from server.workspace import Workspace

OnEvent = Callable[[FromWorker], None]


def create_app(settings: Settings, on_event: OnEvent = lambda event: None) -> ASGIApp:
    """The whole server as one ASGI application. Raises KeyRingError and SettingsError when they cannot be used."""
    key_ring = KeyRing([key.get_secret_value() for key in settings.api_keys], settings.api_keys_file)
    telemetry = create_telemetry(settings)
    app = create_api(settings, on_event, len(key_ring), telemetry)
    # Around the application, so that its last-resort 500 has an id too.
    open_paths = OPEN_PATHS | {"/docs"} | ({"/metrics"} if settings.open_metrics else set())
    keyed = ApiKeys(BodyLimit(app, settings.max_body_bytes), key_ring, open_paths)
    paths = {*app.openapi()["paths"], *open_paths}
    return RequestId(Exchanges(SecurityHeaders(keyed), telemetry.listeners, paths))


def create_api(settings: Settings, on_event: OnEvent, key_count: int, telemetry: Telemetry) -> FastAPI:
    app = FastAPI(
        title="LTX-23-Video",
        description="A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video.",
        version="0.1.0",
        lifespan=_lifespan(settings, on_event, key_count, telemetry),
    )
    app.state.metrics = telemetry.metrics
    app.include_router(metrics.router)
    app.include_router(status.router)
    app.include_router(enhance.router)
    # Last: clients take the last POST path whose body has a `prompt` for the one that makes videos.
    app.include_router(generate.router)
    install_error_answers(app)
    return app


def _lifespan(
    settings: Settings, on_event: OnEvent, key_count: int, telemetry: Telemetry
) -> Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        def on_worker_event(event: FromWorker) -> None:
            telemetry.metrics.on_event(event)
            on_event(event)

        dispatcher = Dispatcher(
            worker_config(settings), limits(settings, key_count), on_worker_event, on_job=telemetry.metrics.on_job
        )
        workspace = Workspace(settings.temp_dir)
        enhancer = create_enhancer(settings, telemetry.metrics.on_enhancement)
        telemetry.metrics.registry.register(LiveMetrics(lambda: dispatcher.status, lambda: enhancer.state))
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
            await telemetry.aclose()

    return lifespan
