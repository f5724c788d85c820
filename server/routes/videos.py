"""/v1/videos: OpenAI's Videos API. Create, retrieve, list and delete clips; /v1/videos/sync waits for the clip."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from server.answers.clip import CLIP, clip_headers, performance_headers
from server.answers.error_schema import READ, RENDER, RENDER_HEADERS, errors
from server.answers.video import VideoAnswer, VideoDeletedAnswer, VideoListAnswer
from server.contract.count import take_count
from server.contract.schema import video_form_schema, video_schema
from server.requests.batch import store_videos
from server.requests.context import context_of
from server.requests.idempotency import store_video
from server.requests.rendering import render_clip
from server.routes.openai_body import openai_body
from server.routes.video_links import video_answer
from server.services import services_of

router = APIRouter(prefix="/v1/videos")

REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": video_schema()},
        "multipart/form-data": {"schema": video_form_schema()},
    },
}


@router.post(
    "",
    summary="Create a video: it is rendered in the background and kept for a time",
    responses=errors(*RENDER),
    openapi_extra={"parameters": RENDER_HEADERS, "requestBody": REQUEST_BODY},
)
async def create_video(request: Request, response: Response) -> VideoAnswer:
    async with openai_body(request) as body:
        count, fields = take_count(body.fields)
        body = replace(body, fields=fields)
        found = [(await store_video(request, body))[0]] if count == 1 else await store_videos(request, body, count)
    context = context_of(request)
    response.headers.update(context.preference_applied)
    answer = video_answer(request, await services_of(request).videos.get(found[0].id, context.owner))
    return answer if count == 1 else answer.model_copy(update={"batch": [video.id for video in found]})


@router.post(
    "/sync",
    summary="Render a clip while you wait, and answer with its file",
    response_class=Response,
    responses=errors(*RENDER, 504) | {200: CLIP},
    openapi_extra={"parameters": RENDER_HEADERS, "requestBody": REQUEST_BODY},
)
async def create_video_sync(request: Request) -> Response:
    async with openai_body(request) as body:
        rendered = await render_clip(request, body)
    headers = clip_headers(rendered) | performance_headers(rendered) | context_of(request).preference_applied
    return Response(rendered.data, media_type=rendered.media_type, headers=headers)


@router.get("", summary="List your videos, newest first", responses=errors(*READ))
async def list_videos(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The id of the last video of the previous page.")] = None,
    order: Literal["asc", "desc"] = "desc",
) -> VideoListAnswer:
    services = services_of(request)
    found = await services.videos.page(
        context_of(request).owner, after or None, limit + 1, newest_first=order == "desc"
    )
    data = [video_answer(request, snapshot) for snapshot in found[:limit]]
    return VideoListAnswer(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{video_id}", summary="Get a video: its parameters, progress and result", responses=errors(*READ, 404))
async def retrieve_video(request: Request, video_id: str) -> VideoAnswer:
    return video_answer(request, await services_of(request).videos.get(video_id, context_of(request).owner))


@router.delete("/{video_id}", summary="Delete a video; cancel it if it is not finished", responses=errors(*READ, 404))
async def delete_video(request: Request, video_id: str) -> VideoDeletedAnswer:
    await services_of(request).videos.delete(video_id, context_of(request).owner)
    return VideoDeletedAnswer(id=video_id)
