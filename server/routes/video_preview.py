"""GET /v1/videos/{video_id}/preview: the clip as it is after the last step of its render."""

import base64
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from pipelines.media.animation import ANIMATION_MEDIA_TYPE
from server.answers.clip import BINARY
from server.answers.entity_tags import is_known, not_modified
from server.answers.error_schema import READ, errors
from server.jobs.job import STOPPING, NotReady
from server.jobs.previews import Preview
from server.requests.context import context_of
from server.requests.disconnect import unless_disconnected
from server.routes.video_links import link
from server.services import services_of
from server.videos.active import Snapshot
from server.videos.errors import PreviewNotFound

router = APIRouter(prefix="/v1/videos")

# Whether an event has the preview's address, the preview itself in base64, or is not sent.
PreviewForm = Literal["link", "data", "off"]

PICTURE = {"description": "An animation of a few kilobytes", "content": {ANIMATION_MEDIA_TYPE: BINARY}}
NOT_MODIFIED = {"description": "The client has the newest one: If-None-Match names its ETag"}


class PreviewAnswer(BaseModel):
    """The data of a `preview` event."""

    id: str
    stage: str
    step: int
    steps: int
    content_type: str
    url: str | None = Field(description="Link to the newest preview, unless it was asked for as data.")
    data: str | None = Field(description="The preview in base64, if it was asked for as data.")


@router.get(
    "/{video_id}/preview",
    summary="Get the clip of an unfinished video as the last step left it (animated WebP)",
    response_class=Response,
    responses=errors(*READ, 404, 503) | {200: PICTURE, 304: NOT_MODIFIED},
)
async def preview_video(request: Request, video_id: str) -> Response:
    videos = services_of(request).videos
    snapshot = await videos.get(video_id, context_of(request).owner)
    feed, headers = videos.previews(video_id), {"Cache-Control": "no-store"}
    if feed is None:
        raise PreviewNotFound(f"the video is {snapshot.status}: only an unfinished one has a preview")
    if request.method == "HEAD" and feed.value is None:
        answer = Response(headers=headers, media_type=ANIMATION_MEDIA_TYPE)
        del answer.headers["Content-Length"]
        return answer
    preview = await unless_disconnected(request, feed.newest())
    if preview is None:
        raise _no_preview(await videos.get(video_id, context_of(request).owner))
    headers["ETag"] = f'"{video_id}-{preview.stage}-{preview.step}"'
    if is_known(request, headers["ETag"]):
        return not_modified(headers)
    return Response(preview.data, media_type=ANIMATION_MEDIA_TYPE, headers=headers)


def _no_preview(snapshot: Snapshot) -> PreviewNotFound | NotReady:
    """Return why nobody waits for a preview of this video any more."""
    if snapshot.progress is not None and snapshot.progress.stage != "decode":
        return NotReady(STOPPING)
    return PreviewNotFound("no preview of this video was made, and no step of it is left to show")


def preview_answer(request: Request, snapshot: Snapshot, preview: Preview, form: PreviewForm) -> PreviewAnswer:
    # The step makes it another address, so that a page that shows the link loads the picture again.
    path, query = f"/v1/videos/{snapshot.video.id}/preview", f"step={preview.stage}-{preview.step}"
    return PreviewAnswer(
        id=snapshot.video.id,
        stage=preview.stage,
        step=preview.step,
        steps=preview.steps,
        content_type=ANIMATION_MEDIA_TYPE,
        url=link(request, path, query) if form == "link" else None,
        data=base64.b64encode(preview.data).decode("ascii") if form == "data" else None,
    )
