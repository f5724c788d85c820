"""POST /v1/videos/{id}/remix and OpenAI's other endpoints that make a video from another one.

A remix, which is an edit too, is a retake of the whole clip with another prompt. An extension is a continuation.
Characters are refused, with status 400, because the official client retries a request after a 501.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from server.answers.error_schema import RENDER, RENDER_HEADERS, errors
from server.answers.errors import Unsupported
from server.answers.video import VideoAnswer
from server.contract.errors import Loc, RequestInvalid, relocated
from server.contract.schema import remix_schema
from server.requests.body import RequestBody
from server.requests.context import context_of
from server.requests.idempotency import store_video
from server.routes.openai_body import openai_body
from server.routes.video_links import video_answer
from server.services import services_of
from server.videos.prepared import PreparedRequest

router = APIRouter(prefix="/v1/videos")

# From the fields of a request, and the video that it names, if it does, to those of POST /generate.
Rewrite = Callable[[dict[str, Any], PreparedRequest | None], dict[str, Any]]

NEEDS_VIDEO = 'Should be a file, or a video of this server: {"id": ...}'
REMIX_BODY = {"required": True, "content": {"application/json": {"schema": remix_schema()}}}


@router.post(
    "/{video_id}/remix",
    summary="Make a video like this one, with another prompt",
    responses=errors(*RENDER, 404),
    openapi_extra={"parameters": RENDER_HEADERS, "requestBody": REMIX_BODY},
)
async def remix_video(request: Request, response: Response, video_id: str) -> VideoAnswer:
    async with openai_body(request) as body:
        return await _create(request, response, body, video_id, _remix)


@router.post("/{video_id}/edit", include_in_schema=False)
@router.post("/{video_id}/edits", include_in_schema=False)
async def edit_video(request: Request, response: Response, video_id: str) -> VideoAnswer:
    return await remix_video(request, response, video_id)


@router.post("/{video_id}/extend", include_in_schema=False)
@router.post("/{video_id}/extensions", include_in_schema=False)
async def extend_video(request: Request, response: Response, video_id: str) -> VideoAnswer:
    async with openai_body(request) as body:
        return await _create(request, response, body, video_id, _extend)


@router.post("/edits", include_in_schema=False)
async def edit_given_video(request: Request, response: Response) -> VideoAnswer:
    async with openai_body(request) as body:
        return await _create(request, response, body, _take_video(body), _remix)


@router.post("/extensions", include_in_schema=False)
async def extend_given_video(request: Request, response: Response) -> VideoAnswer:
    async with openai_body(request) as body:
        return await _create(request, response, body, _take_video(body), _extend)


@router.post("/characters", include_in_schema=False)
@router.get("/characters/{character_id}", include_in_schema=False)
async def characters() -> None:
    raise Unsupported("Characters are not supported; describe them in the prompt")


def _take_video(body: RequestBody) -> str | None:
    """Return the id of the video that the body names; None if it has a file, which becomes `video_b64`.

    Raises RequestInvalid.
    """
    video = body.fields.pop("video", None)
    video_id = video.get("id") if isinstance(video, dict) else None
    if isinstance(video_id, str):
        return video_id
    if not isinstance(video, str):
        raise RequestInvalid.at(("video",), NEEDS_VIDEO, "video_invalid")
    body.fields["video_b64"] = video
    return None


async def _create(
    request: Request, response: Response, body: RequestBody, video_id: str | None, rewrite: Rewrite
) -> VideoAnswer:
    """Create a video from another one. Raises VideoNotFound if that does not exist."""
    services, context = services_of(request), context_of(request)
    original = None
    if video_id is not None:
        original = (await services.videos.get(video_id, context.owner)).video.request
        body.fields["from_video"] = video_id
    digest = hashlib.sha256(body.digest + request.url.path.encode()).digest()
    sent = replace(body, fields=rewrite(body.fields, original), digest=digest)
    with relocated(_as_sent):
        video, _ = await store_video(request, sent)
    response.headers.update(context.preference_applied)
    return video_answer(request, await services.videos.get(video.id, context.owner))


def _as_sent(loc: Loc) -> Loc:
    return ("video", *loc[1:]) if loc[:1] == ("video_b64",) else loc


def _remix(fields: dict[str, Any], original: PreparedRequest | None) -> dict[str, Any]:
    """Keep what is not sent: with the same seed, the clip is laid out alike."""
    seed = {} if original is None else {"seed": original.spec.seed}
    return {**_kept(original), **seed, **fields, "retake": {}}


def _extend(fields: dict[str, Any], original: PreparedRequest | None) -> dict[str, Any]:
    """Continue for `seconds`, which has become `duration`, with the same prompt unless another one is sent."""
    prompt = {} if original is None else {"prompt": original.spec.prompt}
    seconds = fields.pop("duration", None)
    return {**_kept(original), **prompt, **fields, "continue": {} if seconds is None else {"seconds": seconds}}


def _kept(original: PreparedRequest | None) -> dict[str, Any]:
    if original is None:
        return {}
    spec = original.spec
    loras = [{"name": lora.name, "strength": lora.strength} for lora in spec.loras]
    return {"generate_audio": spec.generate_audio, "video_format": spec.container.value, "loras": loras}
