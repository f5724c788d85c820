"""POST /generate: one clip, awaited."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from pipelines.errors import SpecError
from pipelines.media.codecs import FORMATS
from server.answers import Rendered, clip_headers, clip_json
from server.contract import (
    RequestInvalid,
    ResolvedRequest,
    clip_size,
    parse_body,
    request_schema,
    resolve_request,
    to_spec,
)
from server.disconnect import disconnected, unless_disconnected
from server.engine import Engine, engine_of
from server.enhancement import UsedPrompt, enhance_request
from server.errors import AsciiJSONResponse, preference_applied, prefers_strict
from server.image_checks import check_images
from server.jobs import Job
from server.workspace import write_images

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
    strict = prefers_strict(request)
    resolved = await asyncio.to_thread(_resolve, await request.body(), strict)
    _validate_fits(engine, resolved)
    await check_images(resolved.images)
    with engine.workspace.job_folder() as folder:
        rendered = await _render(request, engine, resolved, folder)
    headers = clip_headers(rendered) | preference_applied(request)
    if resolved.return_json:
        body = await asyncio.to_thread(lambda: AsciiJSONResponse(clip_json(rendered), headers=headers))
        del body.headers["Content-Disposition"]
        return body
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)


def _resolve(body: bytes, strict: bool) -> ResolvedRequest:
    """Off the event loop: megabytes of base64 take a while."""
    return resolve_request(parse_body(body), strict=strict)


def _validate_fits(engine: Engine, resolved: ResolvedRequest) -> None:
    """Before it waits in the queue. While the model loads nothing is known; then it is not taken on anyway."""
    model = engine.dispatcher.status.model
    if model is None or model.plan is None:
        return
    try:
        model.plan.validate(clip_size(resolved))
    except SpecError as exc:
        raise RequestInvalid.at((), exc.message, "does_not_fit") from exc


async def _render(request: Request, engine: Engine, resolved: ResolvedRequest, folder: Path) -> Rendered:
    image_paths = await asyncio.to_thread(write_images, folder, [image.data for image in resolved.images])
    # Nothing is rewritten for a clip that would not be taken on; the queue is asked again once the prompt is there.
    engine.dispatcher.validate_admits(request.state.key_id)
    used = await unless_disconnected(request, _enhance(request, engine, resolved, image_paths))
    spec = to_spec(resolved, image_paths, used.prompt, engine.settings.stages)
    path = folder / f"clip{FORMATS[spec.container].suffix}"
    job = Job(request.state.request_id, spec, path, request.state.key_id)
    # For the log and the traces.
    request.state.job, request.state.enhance_s = job, used.seconds
    engine.dispatcher.submit(job)
    timings_s = await _await_job(request, engine, job)
    return Rendered(
        id=job.id,
        data=await asyncio.to_thread(path.read_bytes),
        spec=spec,
        original_prompt=resolved.prompt,
        enhanced=used.enhanced,
        adjustments=resolved.adjustments + used.adjustments,
        timings_s={"queue": job.queued_s, "enhance": used.seconds, **timings_s},
    )


async def _enhance(
    request: Request, engine: Engine, resolved: ResolvedRequest, image_paths: Sequence[Path]
) -> UsedPrompt:
    required, strict = engine.settings.enhancer_required, prefers_strict(request)
    return await enhance_request(engine.enhancer, resolved, image_paths, required=required, strict=strict)


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
