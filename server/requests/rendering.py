"""Render a clip while its client waits. With an Idempotency-Key it is stored, and a repeated request finds it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from pipelines.media.codecs import FORMATS
from server.jobs.job import Job
from server.requests.body import RequestBody
from server.requests.context import context_of
from server.requests.disconnect import disconnected, unless_disconnected
from server.requests.idempotency import HEADER, store_video
from server.requests.prepare import accept_request, prepare_request
from server.services import services_of
from server.videos.prepared import PreparedRequest


@dataclass(frozen=True)
class Rendered:
    """A clip that is ready to be sent. timings_s: seconds per stage: queue, enhance, encode, denoise, decode, mux."""

    id: str
    data: bytes
    request: PreparedRequest
    timings_s: Mapping[str, float]
    peak_memory_bytes: int | None = None

    @property
    def media_type(self) -> str:
        return FORMATS[self.request.spec.container].media_type


OnJob = Callable[[Job], None]


async def render_clip(request: Request, body: RequestBody, on_job: OnJob = lambda job: None) -> Rendered:
    """Render a clip. Raises RequestInvalid, EnhancerError, IdempotencyError, JobError or VideosError.

    on_job: called with the job once it is queued; not for a clip that was stored before.
    """
    render = _render_stored if HEADER in request.headers else _render
    return await render(request, body, on_job)


async def _render(request: Request, body: RequestBody, on_job: OnJob) -> Rendered:
    services, context = services_of(request), context_of(request)
    resolved = await unless_disconnected(request, accept_request(services, context, body))
    with services.workspace.job_folder() as folder:
        work = prepare_request(services, context, resolved, folder)
        context.prepared = prepared = await unless_disconnected(request, work)
        path = folder / prepared.file_name
        context.job = job = Job(context.id, prepared.spec, path, context.owner)
        services.dispatcher.submit(job)
        on_job(job)
        await _await_job(request, job)
        data = await asyncio.to_thread(path.read_bytes)
        values = services.run_values
        timings_s, peak = values.timings_s(prepared.timings_s(job)), values.memory_bytes(job.peak_memory_bytes)
        return Rendered(job.id, data, prepared, timings_s, peak)


async def _render_stored(request: Request, body: RequestBody, on_job: OnJob) -> Rendered:
    """Render or find the stored video. It continues if the client disconnects, because the client may come back."""
    videos, context = services_of(request).videos, context_of(request)
    video, context.job = await store_video(request, body)
    if context.job is not None:
        on_job(context.job)
    context.video = video = await videos.wait(video.id)
    video.raise_if_failed()
    data = await asyncio.to_thread(videos.read, video)
    return Rendered(video.id, data, video.request, video.timings_s, video.peak_memory_bytes)


async def _await_job(request: Request, job: Job) -> None:
    """Wait until the job is done, or raise its error. If the client disconnects, cancel the job.

    Returns only once the job has ended, so that its folder lasts as long.
    """
    gone: asyncio.Future[None] = asyncio.create_task(disconnected(request))
    try:
        waiting: list[asyncio.Future[Any]] = [job.ended, gone]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not job.ended.done():
            services_of(request).dispatcher.cancel(job)
            await asyncio.wait([job.ended])
    job.ended.result()
