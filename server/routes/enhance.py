"""POST /enhance: the rewrite of a prompt alone, to be read and edited before a clip is paid for."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from enhancer.enhancement import Enhancement, EnhanceRequest
from enhancer.messages import Mode
from server.contract import ResolvedEnhance, enhance_schema, resolve_enhance
from server.disconnect import unless_disconnected
from server.engine import Engine, engine_of
from server.errors import AsciiJSONResponse
from server.image_checks import check_images
from server.request_body import read_body
from server.workspace import write_images

router = APIRouter()


@router.post(
    "/enhance",
    summary="Rewrite a prompt as POST /generate with enhance_prompt would, without rendering",
    response_class=Response,
    responses={200: {"description": "The rewrite", "content": {"application/json": {}}}},
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": enhance_schema()}}},
    },
)
async def enhance(request: Request) -> Response:
    engine = engine_of(request)
    body = await read_body(request)
    resolved = await asyncio.to_thread(resolve_enhance, body.fields)
    images = [] if resolved.image is None else [resolved.image]
    await check_images(images)
    with engine.workspace.job_folder() as folder:
        paths = await asyncio.to_thread(write_images, folder, [image.data for image in images])
        enhancement = await unless_disconnected(request, _enhance(engine, resolved, paths))
    return AsciiJSONResponse(enhancement_json(enhancement))


async def _enhance(engine: Engine, resolved: ResolvedEnhance, paths: list[Path]) -> Enhancement:
    """Whoever asks for a rewrite alone has no use for the prompt as it came: failures are errors here."""
    mode, path = (Mode.I2V, paths[0]) if paths else (Mode.T2V, None)
    request = EnhanceRequest(resolved.prompt, mode, path, resolved.seed, resolved.duration_s)
    return await engine.enhancer.enhance(request, required=True)


def enhancement_json(enhancement: Enhancement) -> dict[str, Any]:
    return {
        "prompt": enhancement.prompt,
        "caption": enhancement.caption,
        "notes": list(enhancement.notes),
        "timings": {name: round(seconds, 4) for name, seconds in enhancement.timings_s.items()},
    }
