"""Render a clip while its client waits. With an Idempotency-Key it is stored, and a repeated request finds it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import Request

from pipelines.media.codecs import FORMATS
from server.answers.clip import Rendered
from server.answers.errors import prefers_strict
from server.contract import Adjustment
from server.jobs.job import Job
from server.requests.body import RequestBody
from server.requests.disconnect import disconnected, unless_disconnected
from server.requests.idempotency import read_idempotency, store_video
from server.requests.prepare import accept_request, prepare_request
from server.services import Services, services_of
from server.videos.video import Idempotency

Adjustments = tuple[Adjustment, ...]


async def render_clip(
    request: Request, body: RequestBody, fields: Mapping[str, Any], adjustments: Adjustments = ()
) -> Rendered:
    """Render what `fields` ask for. Raises RequestInvalid, EnhancerError, IdempotencyError, JobError or VideosError.

    adjustments: those made between the body and `fields`.
    """
    services = services_of(request)
    idempotency = read_idempotency(request, body.digest)
    if idempotency is None:
        return await _render(request, services, fields, adjustments)
    return await _render_once(request, services, fields, idempotency, adjustments)


async def _render(
    request: Request, services: Services, fields: Mapping[str, Any], adjustments: Adjustments
) -> Rendered:
    strict, owner = prefers_strict(request), request.state.key_id
    resolved = await accept_request(services, fields, strict, owner)
    resolved = replace(resolved, adjustments=adjustments + resolved.adjustments)
    with services.workspace.job_folder() as folder:
        prepared = await unless_disconnected(request, prepare_request(services, resolved, folder, strict, owner))
        path = folder / f"clip{FORMATS[prepared.spec.container].suffix}"
        job = Job(request.state.request_id, prepared.spec, path, owner)
        # Used by the log and the traces.
        request.state.job, request.state.enhance_s = job, prepared.enhance_s
        request.state.adjustments = prepared.adjustments
        services.dispatcher.submit(job)
        stages_s = await _await_job(request, services, job)
        timings_s = {"queue": job.queued_s, "enhance": prepared.enhance_s, **stages_s}
        data = await asyncio.to_thread(path.read_bytes)
        return Rendered(job.id, data, prepared, timings_s, job.peak_memory_bytes)


async def _render_once(
    request: Request, services: Services, fields: Mapping[str, Any], idempotency: Idempotency, adjustments: Adjustments
) -> Rendered:
    """Render or find the stored video. It continues if the client disconnects, because the client may come back."""
    video, job = await store_video(request, services, fields, idempotency, adjustments)
    if job is not None:
        request.state.job, request.state.enhance_s = job, video.request.enhance_s
    request.state.video = video = await services.videos.wait(video.id)
    video.raise_if_failed()
    data = await asyncio.to_thread(services.videos.read, video)
    return Rendered(video.id, data, video.request, video.timings_s, video.peak_memory_bytes)


async def _await_job(request: Request, services: Services, job: Job) -> Mapping[str, float]:
    """Return the job's timings, or raise its error. If the client disconnects, cancel the job.

    Returns only once the job has ended, so that its folder lasts as long.
    """
    gone: asyncio.Future[None] = asyncio.create_task(disconnected(request))
    try:
        waiting: list[asyncio.Future[Any]] = [job.ended, gone]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not job.ended.done():
            services.dispatcher.cancel(job)
            await asyncio.wait([job.ended])
    return job.ended.result()
