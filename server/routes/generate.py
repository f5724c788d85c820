"""POST /generate: render one clip while the client waits."""

import asyncio
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from server.answers.clip import CLIP, ClipAnswer, clip_headers, clip_json
from server.answers.clip_stream import EVENTS, HEADERS, StreamedRender
from server.answers.error_schema import RENDER, RENDER_HEADERS, errors
from server.answers.errors import AsciiJSONResponse
from server.contract.resolve import wants_json, wants_stream
from server.contract.schema import request_schema
from server.requests.body import read_body
from server.requests.context import context_of
from server.requests.rendering import render_clip

router = APIRouter()


# The chutes provider of the AI SDK calls these paths.
@router.post("/text2video", include_in_schema=False)
@router.post("/image2video", include_in_schema=False)
@router.post(
    "/generate",
    summary="Generate a video clip with sound from a prompt, an image or keyframes",
    response_class=Response,
    responses=errors(*RENDER, 504) | {200: CLIP | {"model": ClipAnswer, "content": CLIP["content"] | EVENTS}},
    openapi_extra={
        "parameters": RENDER_HEADERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": request_schema()}}},
    },
)
async def generate(request: Request) -> Response:
    body = await read_body(request)
    if wants_stream(body.fields):
        streamed = StreamedRender(request, partial(render_clip, request, body))
        await streamed.accepted()
        headers = HEADERS | context_of(request).preference_applied
        return StreamingResponse(streamed.events(), media_type="text/event-stream", headers=headers)
    rendered = await render_clip(request, body)
    headers = clip_headers(rendered) | context_of(request).preference_applied
    if wants_json(body.fields):
        answer = await asyncio.to_thread(lambda: AsciiJSONResponse(clip_json(rendered).model_dump(), headers=headers))
        del answer.headers["Content-Disposition"]
        return answer
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)
