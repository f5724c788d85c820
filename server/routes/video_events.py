"""GET /v1/videos/{video_id}/events: the video's progress and previews as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.sse import format_sse_event
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from server.answers.error_schema import READ, errors
from server.answers.video import VideoAnswer, progress_json
from server.jobs.previews import Preview
from server.jobs.progress import JobProgress
from server.requests.context import context_of
from server.routes.video_links import video_answer
from server.routes.video_preview import PreviewForm, preview_answer
from server.services import services_of
from server.videos.active import Snapshot
from server.videos.errors import VideoNotFound

router = APIRouter(prefix="/v1/videos")

KEEP_ALIVE_S = 15.0
KEEP_ALIVE = ": keep-alive\n\n"
RECONNECT = "retry: 2000\n\n"
PREVIEW = "Send each preview as a link, as base64 data, or make none."
# The id of the last event. A browser that reconnects with it is told that there are no more.
LAST = "last"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
EVENTS: dict[str, Any] = {
    "description": "`progress` events with a VideoProgress and `preview` events with a link to the clip as a step left "
    "it, then one of `completed`, `failed` (a Video) or `cancelled`",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get(
    "/{video_id}/events",
    summary="Stream server-sent events: progress and previews, then completed, failed or cancelled",
    response_class=Response,
    responses=errors(*READ, 404) | {200: EVENTS, 204: {"description": "The last event was seen before"}},
)
async def watch_video(
    request: Request,
    video_id: str,
    preview: Annotated[PreviewForm, Query(description=PREVIEW)] = "link",
) -> Response:
    videos, owner = services_of(request).videos, context_of(request).owner
    if request.headers.get("last-event-id") == LAST:
        return Response(status_code=204)
    await videos.get(video_id, owner)

    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=HEADERS)
    snapshots = videos.watch(video_id, owner, previews=preview != "off")
    describe = None if preview == "off" else partial(preview_answer, request, form=preview)
    stream = event_stream(video_id, snapshots, partial(video_answer, request), describe)
    return StreamingResponse(stream, media_type="text/event-stream", headers=HEADERS)


class VideoCancelled(BaseModel):
    """The data of the last event of a video that was deleted."""

    id: str
    status: Literal["cancelled"] = "cancelled"


async def event_stream(
    video_id: str,
    snapshots: AsyncGenerator[Snapshot, None],
    ended: Callable[[Snapshot], VideoAnswer],
    previewed: Callable[[Snapshot, Preview], BaseModel] | None = None,
    keep_alive_s: float = KEEP_ALIVE_S,
) -> AsyncIterator[str]:
    """Yield the events of a video. `ended` describes a finished video, `previewed` a new preview, unless it is None.

    Each snapshot is taken only when it can be sent.
    """
    yield RECONNECT
    following: asyncio.Task[Snapshot | None] | None = None
    last_progress: JobProgress | None = None
    last_preview: Preview | None = None
    try:
        while True:
            following = following or asyncio.create_task(_next(snapshots))
            await asyncio.wait([following], timeout=keep_alive_s)
            if not following.done():
                yield KEEP_ALIVE
                continue
            snapshot, following = following.result(), None
            if snapshot is None:
                return  # the server stops; a client that reconnects gets the rest
            if snapshot.progress is None:
                yield event(str(snapshot.status), ended(snapshot), LAST)
                return
            if snapshot.progress != last_progress:
                last_progress = snapshot.progress
                yield event("progress", progress_json(snapshot))
            if previewed is not None and snapshot.preview is not None and snapshot.preview is not last_preview:
                last_preview = snapshot.preview
                yield event("preview", previewed(snapshot, last_preview))
    except VideoNotFound:
        yield event("cancelled", VideoCancelled(id=video_id), LAST)
    finally:
        if following is not None and not following.done():
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        # Or it would still count as a viewer.
        await snapshots.aclose()


def event(name: str, data: BaseModel, event_id: str | None = None) -> str:
    text = json.dumps(data.model_dump(mode="json"), ensure_ascii=True, separators=(",", ":"))
    return format_sse_event(data_str=text, event=name, id=event_id).decode("ascii")


async def _next(snapshots: AsyncGenerator[Snapshot, None]) -> Snapshot | None:
    return await anext(snapshots, None)
