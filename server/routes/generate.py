"""POST /generate: one clip, awaited. With an Idempotency-Key it is a stored video, which another request finds."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from pipelines.media.codecs import FORMATS
from server.answers import Rendered, clip_headers, clip_json
from server.contract import request_schema
from server.disconnect import disconnected, unless_disconnected
from server.engine import Engine, engine_of
from server.errors import AsciiJSONResponse, preference_applied, prefers_strict
from server.intake import accept_request, prepare_order
from server.jobs.job import Job
from server.request_body import read_body
from server.routes.idempotency import create_video, read_idempotency
from server.videos.video import Idempotency, Video

router = APIRouter()

VIDEO = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/generate",
    summary="Generate a video clip with sound from a prompt, an image or keyframes",
    response_class=Response,
    responses={200: {"description": "The clip", "content": {"video/mp4": VIDEO, "video/webm": VIDEO}}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": request_schema()}}},
    },
)
async def generate(request: Request) -> Response:
    engine = engine_of(request)
    body = await read_body(request)
    raw = body.fields
    idempotency = read_idempotency(request, body.digest)
    if idempotency is None:
        rendered = await _render(request, engine, raw)
    else:
        rendered = await _render_once(request, engine, raw, idempotency)
    headers = clip_headers(rendered) | preference_applied(request)
    if raw.get("return_json"):
        answer = await asyncio.to_thread(lambda: AsciiJSONResponse(clip_json(rendered), headers=headers))
        del answer.headers["Content-Disposition"]
        return answer
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)


async def _render(request: Request, engine: Engine, raw: Mapping[str, Any]) -> Rendered:
    resolved = await accept_request(engine, raw, prefers_strict(request))
    with engine.workspace.job_folder() as folder:
        strict, owner = prefers_strict(request), request.state.key_id
        order = await unless_disconnected(request, prepare_order(engine, resolved, folder, strict, owner))
        path = folder / f"clip{FORMATS[order.spec.container].suffix}"
        job = Job(request.state.request_id, order.spec, path, request.state.key_id)
        # For the log and the traces.
        request.state.job, request.state.enhance_s = job, order.enhance_s
        engine.dispatcher.submit(job)
        timings_s = await _await_job(request, engine, job)
        timings_s = {"queue": job.queued_s, "enhance": order.enhance_s, **timings_s}
        return Rendered(job.id, await asyncio.to_thread(path.read_bytes), order, timings_s)


async def _render_once(request: Request, engine: Engine, raw: Mapping[str, Any], idempotency: Idempotency) -> Rendered:
    """A client that goes away has said that it may come back: its video goes on."""
    ordered = await create_video(request, engine, raw, idempotency)
    if ordered.job is not None:
        request.state.job, request.state.enhance_s = ordered.job, ordered.video.order.enhance_s
    request.state.video = video = await engine.videos.wait(ordered.video.id)
    return await _read(engine, video)


async def _read(engine: Engine, video: Video) -> Rendered:
    video.raise_if_failed()
    data = await asyncio.to_thread(engine.videos.read, video)
    return Rendered(video.id, data, video.order, video.timings_s)


async def _await_job(request: Request, engine: Engine, job: Job) -> Mapping[str, float]:
    """The job's timings, or its error. A client that goes away cancels it; its folder stays until it has ended."""
    gone: asyncio.Future[None] = asyncio.create_task(disconnected(request))
    try:
        waiting: list[asyncio.Future[Any]] = [job.ended, gone]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not job.ended.done():
            engine.dispatcher.cancel(job)
            await asyncio.wait([job.ended])
    return job.ended.result()
