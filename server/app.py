"""The application: routes, errors and edge around one engine. Knows no process and no model."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from enhancer.enhance import Enhancer
from enhancer.errors import Unavailable
from enhancer.sglang_process import ManagedSglang
from server.edge.body_limit import BodyLimit
from server.edge.exchange import Exchanges
from server.edge.keys import OPEN_PATHS, ApiKeys, KeyRing
from server.edge.request_id import RequestId
from server.edge.security_headers import SecurityHeaders
from server.engine import Engine, limits, worker_configs
from server.enhancement import create_enhancer, create_managed
from server.errors import install_error_answers
from server.jobs.dispatcher import Dispatcher
from server.jobs.worker_process import WORKER_PROGRAM
from server.messages import FromWorker, Ready
from server.routes import enhance, generate, metrics, status, video_content, video_events, videos
from server.settings import Settings
from server.telemetry.live import LiveMetrics
from server.telemetry.telemetry import Telemetry, create_telemetry
from server.videos.data_dir import DataDir
from server.videos.library import Videos
from server.videos.retention import Retention
from server.workspace import Workspace

OnEvent = Callable[[FromWorker], None]


def create_app(
    settings: Settings, on_event: OnEvent = lambda event: None, program: Sequence[str] = WORKER_PROGRAM
) -> ASGIApp:
    """The whole server as one ASGI application. Raises KeyRingError and SettingsError when they cannot be used.

    program: what a worker runs.
    """
    key_ring = KeyRing([key.get_secret_value() for key in settings.api_keys], settings.api_keys_file)
    telemetry = create_telemetry(settings)
    app = create_api(settings, on_event, len(key_ring), telemetry, program)
    # Around the application, so that its last-resort 500 has an id too.
    open_paths = OPEN_PATHS | {"/docs"} | ({"/metrics"} if settings.open_metrics else set())
    keyed = ApiKeys(BodyLimit(app, settings.max_body_bytes), key_ring, open_paths)
    paths = {*app.openapi()["paths"], *open_paths}
    return RequestId(Exchanges(SecurityHeaders(keyed), telemetry.listeners, paths))


def create_api(
    settings: Settings, on_event: OnEvent, key_count: int, telemetry: Telemetry, program: Sequence[str]
) -> FastAPI:
    app = FastAPI(
        title="LTX-23-Video",
        description="A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video.",
        version=version("ltx23-server"),
        lifespan=_lifespan(settings, on_event, key_count, telemetry, program),
    )
    app.state.metrics = telemetry.metrics
    for routes in (metrics, status, videos, video_content, video_events, enhance):
        app.include_router(routes.router)
    # Last: clients take the last POST path whose body has a `prompt` for the one that makes videos.
    app.include_router(generate.router)
    install_error_answers(app)
    return app


def _lifespan(
    settings: Settings, on_event: OnEvent, key_count: int, telemetry: Telemetry, program: Sequence[str]
) -> Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]:
    managed = create_managed(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        def on_worker_event(event: FromWorker) -> None:
            telemetry.metrics.on_event(event)
            if isinstance(event, Ready):
                library.on_ready()
            on_event(event)

        # Closed in the opposite order, however far the start came.
        async with AsyncExitStack() as stack:
            stack.push_async_callback(telemetry.aclose)
            workspace = Workspace(settings.temp_dir)
            stack.callback(workspace.close)
            if managed is not None:
                stack.push_async_callback(managed.aclose)
            enhancer = create_enhancer(settings, managed, telemetry.metrics.on_enhancement)
            stack.push_async_callback(enhancer.aclose)
            dispatcher = Dispatcher(
                worker_configs(settings),
                limits(settings, key_count),
                on_worker_event,
                program,
                on_job=telemetry.metrics.on_job,
                on_kill=telemetry.metrics.on_kill,
            )
            library = Videos(
                dispatcher, DataDir(settings.data_dir), Retention(settings.result_ttl_s, settings.max_result_bytes)
            )
            stack.push_async_callback(library.close)
            stack.push_async_callback(_stop, dispatcher)
            engine = Engine(settings, dispatcher, workspace, library, enhancer, managed)
            telemetry.metrics.registry.register(LiveMetrics(lambda: dispatcher.status, lambda: engine.enhancer_state))
            app.state.engine = engine
            await library.start()
            starting = asyncio.create_task(_start(dispatcher, enhancer, managed))
            stack.push_async_callback(_cancel, starting)
            # For whoever runs the server: it shows in ASGI's lifespan state.
            yield {"engine": engine}

    return lifespan


async def _start(dispatcher: Dispatcher, enhancer: Enhancer, managed: ManagedSglang | None) -> None:
    """SGLang before the models, or without it: its memory is a share of what is free when it starts."""
    if managed is not None:
        managed.start()
        with suppress(Unavailable):
            await managed.wait_until_ready()
    enhancer.start()
    dispatcher.start()


async def _stop(dispatcher: Dispatcher) -> None:
    dispatcher.stop()
    await dispatcher.stopped()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
