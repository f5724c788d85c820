"""/v1/videos: OpenAI's Videos API. A clip is ordered, looked at, listed and deleted; nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from server.answers import MODEL_ID
from server.contract import (
    Adjustment,
    OpenAIRequest,
    RequestInvalid,
    openai_schema,
    read_openai_names,
)
from server.engine import engine_of
from server.errors import AsciiJSONResponse, preference_applied, prefers_strict
from server.request_body import read_body
from server.routes.idempotency import create_video, read_idempotency
from server.routes.video_links import video_answer

router = APIRouter(prefix="/v1/videos")

ID_PATTERN = "^video_[0-9a-f]{32}$"
SCHEMA = openai_schema()
ONE_MODEL = "this server has no other model"


@router.post(
    "",
    summary="Order a clip; it is rendered while you ask for it, and kept for a time",
    response_class=Response,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": SCHEMA}, "multipart/form-data": {"schema": SCHEMA}},
        },
    },
)
async def create(request: Request) -> Response:
    engine = engine_of(request)
    body = await read_body(request)
    idempotency = read_idempotency(request, body.digest)
    openai = await asyncio.to_thread(read_openai_names, body.fields)
    adjustments = _model_adjustments(openai, prefers_strict(request))
    async with _names_as_sent(openai):
        ordered = await create_video(request, engine, openai.values, idempotency, adjustments)
    snapshot = await engine.videos.get(ordered.video.id, request.state.key_id)
    return AsciiJSONResponse(video_answer(request, snapshot), headers=preference_applied(request))


@router.get("", summary="Your videos, the newest first")
async def list_videos(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
    order: Literal["asc", "desc"] = "desc",
) -> Response:
    engine = engine_of(request)
    found = await engine.videos.page(request.state.key_id, after, limit + 1, newest_first=order == "desc")
    data = [video_answer(request, snapshot) for snapshot in found[:limit]]
    ids = [video["id"] for video in data]
    return AsciiJSONResponse(
        {
            "object": "list",
            "data": data,
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": len(found) > limit,
        }
    )


@router.get("/{video_id}", summary="A video: what it is, how far it is, how it ended")
async def retrieve(request: Request, video_id: str) -> Response:
    snapshot = await engine_of(request).videos.get(video_id, request.state.key_id)
    return AsciiJSONResponse(video_answer(request, snapshot))


@router.delete("/{video_id}", summary="Cancel it if it is not finished, and forget it")
async def delete(request: Request, video_id: str) -> Response:
    await engine_of(request).videos.delete(video_id, request.state.key_id)
    return AsciiJSONResponse({"id": video_id, "object": "video.deleted", "deleted": True})


def _model_adjustments(openai: OpenAIRequest, strict: bool) -> tuple[Adjustment, ...]:
    if openai.model in (None, MODEL_ID):
        return ()
    if strict:
        raise RequestInvalid.at(("model",), f"Should be {MODEL_ID}: {ONE_MODEL}", "adjustment_refused")
    return (Adjustment("model", openai.model, MODEL_ID, ONE_MODEL),)


@asynccontextmanager
async def _names_as_sent(openai: OpenAIRequest) -> AsyncIterator[None]:
    try:
        yield
    except RequestInvalid as exc:
        raise openai.as_sent(exc) from exc
