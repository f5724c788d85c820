"""POST /enhance: rewrite a prompt without rendering, so that the client can read and edit it first."""

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from enhancer.enhancement import Enhancement, EnhanceRequest
from enhancer.messages import Mode
from server.answers.clip import rounded
from server.answers.error_schema import errors
from server.contract.enhance import ResolvedEnhance, resolve_enhance
from server.contract.schema import enhance_schema
from server.requests.body import read_body
from server.requests.context import context_of
from server.requests.disconnect import unless_disconnected
from server.services import Services, services_of
from server.uploads.checks import check_images
from server.uploads.files import write_images

router = APIRouter()


class EnhancementAnswer(BaseModel):
    """A rewritten prompt."""

    model_config = ConfigDict(title="Enhancement")

    prompt: str
    caption: str | None = Field(description="Caption of the first image.")
    notes: list[str] = Field(description="Changes to the rewrite, and failures.")
    timings: dict[str, float] = Field(description="Seconds in each part.")


@router.post(
    "/enhance",
    summary="Rewrite a prompt as POST /generate with enhance_prompt would, without rendering",
    responses=errors(401, 408, 413, 415, 422, 500, 503),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": enhance_schema()}}},
    },
)
async def enhance_prompt(request: Request) -> EnhancementAnswer:
    services = services_of(request)
    body = await read_body(request)
    resolved = await asyncio.to_thread(resolve_enhance, body.fields)
    with services.workspace.job_folder() as folder:
        work = _enhance(services, resolved, folder, context_of(request).owner)
        enhancement = await unless_disconnected(request, work)
    return enhancement_json(enhancement)


async def _enhance(services: Services, resolved: ResolvedEnhance, folder: Path, owner: str | None) -> Enhancement:
    """Rewrite the prompt. Failures are errors here, because the unchanged prompt would be useless to the client."""
    images = [] if resolved.image is None else [resolved.image]
    paths = await write_images(folder, [image.data for image in images])
    await check_images(services.media_checker, images, paths, owner)
    mode = Mode.KEYFRAMES if resolved.has_keyframes else Mode.I2V if paths else Mode.T2V
    path = paths[0] if paths else None
    request = EnhanceRequest(resolved.prompt, mode, path, resolved.seed, resolved.duration_s)
    return await services.enhancer.enhance(request, required=True)


def enhancement_json(enhancement: Enhancement) -> EnhancementAnswer:
    return EnhancementAnswer(
        prompt=enhancement.prompt,
        caption=enhancement.caption,
        notes=list(enhancement.notes),
        timings=rounded(enhancement.timings_s),
    )
