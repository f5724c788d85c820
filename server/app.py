"""Build the application: routes, error handlers and edge around the services. Independent of processes and models."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.types import ASGIApp

from enhancer.errors import Unavailable
from server.answers.errors import AsciiJSONResponse, install_error_answers
from server.configure import create_enhancer, create_managed, limits, lora_catalog, worker_configs
from server.edge.api_keys import OPEN_PATHS
from server.edge.key_ring import KeyRing
from server.edge.link_secret import derive_secret, read_or_create_secret
from server.edge.signed_links import SignedLinks
from server.edge.stack import with_edge
from server.fetching.fetcher import Fetcher, FetchError
from server.jobs.dispatcher import Dispatcher
from server.jobs.worker_process import WORKER_PROGRAM
from server.jobs.workspace import Workspace
from server.process.run_values import FixedRunValues, RunValues
from server.recordings.errors import RecordingError
from server.recordings.folder import RecordingFolder
from server.recordings.journal import INDEX, RequestJournal
from server.rehearsal.fast_header import FastHeader
from server.rehearsal.middleware import Rehearsal
from server.rehearsal.plan import create_plan
from server.routes import (
    check,
    enhance,
    generate,
    metrics,
    models,
    pages,
    status,
    video_content,
    video_edits,
    video_events,
    video_preview,
    videos,
)
from server.services import Services
from server.settings import Settings, setting_error
from server.telemetry.collector import StateCollector
from server.telemetry.telemetry import Telemetry, create_telemetry
from server.uploads.checker import MediaChecker
from server.videos.data_dir import DataDir
from server.videos.library import Videos
from server.videos.retention import Retention
from server.worker.messages import FromWorker, LoadFailed, Ready

# Describes API keys in /openapi.json; `edge.api_keys` checks them.
KEY_DOCUMENTATION = [
    Depends(HTTPBearer(scheme_name="bearer", description="An API key of this server.", auto_error=False)),
    Depends(APIKeyHeader(scheme_name="apiKey", name="x-api-key", description="The same key.", auto_error=False)),
]

OPEN_ROUTES = (pages, status)
# `generate` comes last: clients use the last POST path whose body has a `prompt` to make videos.
KEYED_ROUTES = (
    metrics,
    models,
    videos,
    video_content,
    video_edits,
    video_events,
    video_preview,
    enhance,
    check,
    generate,
)

OnEvent = Callable[[FromWorker], None]


def create_app(
    settings: Settings,
    on_event: OnEvent = lambda event: None,
    program: Sequence[str] = WORKER_PROGRAM,
    fetcher: Fetcher | None = None,
) -> ASGIApp:
    """Return the whole server as one ASGI application. Raises KeyRingError or SettingsError.

    program: the command that starts a worker. fetcher: fetches weights before the workers start.
    """
    key_ring = KeyRing([key.get_secret_value() for key in settings.api_keys], settings.api_keys_file)
    telemetry = create_telemetry(settings)
    run_values = FixedRunValues() if settings.deterministic_time else RunValues()
    app = create_api(settings, on_event, key_ring, telemetry, program, run_values, fetcher)
    links = None
    if len(key_ring):
        links = SignedLinks(_link_secret(settings), settings.link_ttl_s, run_values.now_s)
    app.state.links = links
    open_paths = OPEN_PATHS | pages.OPEN_PATHS | ({"/metrics"} if settings.open_metrics else set())
    paths = documented_paths() | open_paths
    plan = create_plan(settings)
    rehearsed = app if plan is None else Rehearsal(app, plan)
    marked = FastHeader(rehearsed) if settings.fast else rehearsed
    edge = with_edge(marked, settings, key_ring, links, open_paths, telemetry.listeners, paths, run_values)
    return edge if settings.requests_dir is None else RequestJournal(edge, _open_journal(settings.requests_dir))


def documented_paths() -> set[str]:
    """Return the paths of /openapi.json, which takes long to write, without writing it."""
    routes = (route for routes in (*OPEN_ROUTES, *KEYED_ROUTES) for route in routes.router.routes)
    return {route.path for route in routes if isinstance(route, APIRoute) and route.include_in_schema}


def _link_secret(settings: Settings) -> bytes:
    """Return the secret that signs links. Raises SettingsError."""
    if settings.deterministic_time:
        return derive_secret((key.get_secret_value() for key in settings.api_keys), settings.api_keys_file)
    return read_or_create_secret(settings.data_dir)


def _open_journal(folder: Path) -> RecordingFolder:
    """Open the folder that requests are written to. Raises SettingsError."""
    try:
        return RecordingFolder(folder, INDEX)
    except RecordingError as exc:
        raise setting_error("requests_dir", str(exc)) from exc


def create_api(
    settings: Settings,
    on_event: OnEvent,
    key_ring: KeyRing,
    telemetry: Telemetry,
    program: Sequence[str],
    run_values: RunValues,
    fetcher: Fetcher | None,
) -> FastAPI:
    app = FastAPI(
        title="LTX-23-Video",
        description="A self-hosted, drop-in replacement for the hosted endpoint LTX-23-Video.",
        version=version("ltx23-server"),
        # `pages` serves Swagger UI without loading it from other hosts.
        docs_url=None,
        redoc_url=None,
        # The edge normalises paths before they are routed.
        redirect_slashes=False,
        servers=[{"url": "/", "description": "This server"}],
        default_response_class=AsciiJSONResponse,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan(settings, on_event, key_ring, telemetry, program, run_values, fetcher),
    )
    app.state.metrics = telemetry.metrics
    for routes in (*OPEN_ROUTES, *KEYED_ROUTES):
        app.include_router(routes.router, dependencies=KEY_DOCUMENTATION if routes in KEYED_ROUTES else ())
        _answer_head(app, routes.router)
    install_error_answers(app)
    return app


def _answer_head(app: FastAPI, router: APIRouter) -> None:
    """Serve HEAD wherever `router` serves GET, with the same status and headers; uvicorn omits the body."""
    for route in router.routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            app.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                include_in_schema=False,
                response_model_exclude_unset=route.response_model_exclude_unset,
            )


def _lifespan(
    settings: Settings,
    on_event: OnEvent,
    key_ring: KeyRing,
    telemetry: Telemetry,
    program: Sequence[str],
    run_values: RunValues,
    fetcher: Fetcher | None,
) -> Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]:
    managed = create_managed(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        def on_worker_event(event: FromWorker) -> None:
            telemetry.metrics.on_event(event)
            if isinstance(event, Ready):
                library.on_ready()
            on_event(event)

        # Closed in reverse order, even if the start fails halfway.
        async with AsyncExitStack() as stack:
            stack.push_async_callback(telemetry.aclose)
            workspace = Workspace(settings.temp_dir)
            stack.callback(workspace.close)
            if managed is not None:
                stack.push_async_callback(managed.aclose)
            enhancer = create_enhancer(settings, managed, telemetry.metrics.on_enhancement)
            stack.push_async_callback(enhancer.aclose)
            media_checker = MediaChecker()
            stack.push_async_callback(media_checker.aclose)
            dispatcher = Dispatcher(
                worker_configs(settings),
                limits(settings, key_ring),
                on_worker_event,
                program,
                on_job=telemetry.metrics.on_job,
                on_kill=telemetry.metrics.on_kill,
            )
            retention = Retention(settings.result_ttl_s, settings.max_result_bytes)
            library = Videos(dispatcher, DataDir(settings.data_dir), retention, run_values)
            stack.push_async_callback(library.close)
            stack.push_async_callback(_stop, dispatcher)
            services = Services(
                *(settings, dispatcher, workspace, library, enhancer, media_checker, lora_catalog(settings)),
                *(managed, fetcher, run_values),
            )
            telemetry.metrics.registry.register(
                StateCollector(lambda: dispatcher.status, lambda: services.enhancer_state)
            )
            app.state.services = services
            await library.start()
            starting = asyncio.create_task(_start(services, on_worker_event))
            stack.push_async_callback(_cancel, starting)
            # The command that runs the server gets the services from ASGI's lifespan state.
            yield {"services": services}

    return lifespan


async def _start(services: Services, on_event: OnEvent) -> None:
    """Fetch missing weights, and start SGLang before the models: it takes a share of the memory that is free then.

    If SGLang fails, the models start without it. If the weights cannot be fetched, nothing more starts.
    """
    if services.sglang is not None:
        services.sglang.start()
    if services.fetcher is not None:
        try:
            await services.fetcher.run(on_event)
        except FetchError as exc:
            on_event(LoadFailed(str(exc)))
            return
    if services.sglang is not None:
        with suppress(Unavailable):
            await services.sglang.wait_until_ready()
    services.enhancer.start()
    services.dispatcher.start()


async def _stop(dispatcher: Dispatcher) -> None:
    dispatcher.stop()
    await dispatcher.stopped()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
