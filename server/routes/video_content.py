"""GET /v1/videos/{video_id}/content: the clip or a picture of it, whole, in ranges, or as it is decoded."""

import asyncio
from email.utils import formatdate
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from pipelines.media.codecs import FORMATS
from server.answers.byte_ranges import RangedFile
from server.answers.clip import BINARY, CLIP, content_disposition
from server.answers.entity_tags import is_known, not_modified
from server.answers.error_schema import READ, errors
from server.answers.live_clip import LiveClipResponse
from server.jobs.job import STOPPING, NotReady
from server.requests.context import context_of
from server.requests.disconnect import unless_disconnected
from server.services import services_of
from server.videos.errors import VideoNotFinished, VideoNotFound
from server.videos.library import Videos
from server.videos.variants import Variant
from server.videos.video import Failure, Video, VideoStatus

router = APIRouter(prefix="/v1/videos")

MEDIA_TYPES = {".webp": "image/webp", ".jpg": "image/jpeg"} | {
    container.suffix: container.media_type for container in FORMATS.values()
}
FILE = CLIP | {
    "description": "The clip, its thumbnail or its spritesheet",
    "content": CLIP["content"] | {"image/webp": BINARY, "image/jpeg": BINARY},
}
STREAM = "Send the clip in fragments, from the first that is decoded; wait for it if the video is not that far."
NOT_MODIFIED = {"description": "The client has the file: If-None-Match names its ETag"}


LIVE_HEADERS = {"Cache-Control": "no-store", "Accept-Ranges": "none", "X-Accel-Buffering": "no"}


@router.get(
    "/{video_id}/content",
    summary="Get the clip of a completed video, or as it is decoded; its thumbnail (WebP) or spritesheet (JPEG)",
    response_class=Response,
    responses=errors(*READ, 404, 409, 416, 503) | {200: FILE, 206: FILE, 304: NOT_MODIFIED},
)
async def download_video(
    request: Request,
    video_id: str,
    variant: Literal["video", "thumbnail", "spritesheet"] = "video",
    stream: Annotated[bool, Query(description=STREAM)] = False,
) -> Response:
    videos = services_of(request).videos
    video = (await videos.get(video_id, context_of(request).owner)).video
    if stream:
        _validate_streamable(variant)
        if (live := await _live_answer(request, video)) is not None:
            return live
        video = (await videos.get(video_id, context_of(request).owner)).video
        if video.completed_at is None:
            raise NotReady(STOPPING)
    if video.status is not VideoStatus.COMPLETED:
        raise VideoNotFinished(f"the video is {video.status}: it has no file" + _how_it_ended(video.failure))
    name = str(Variant.FRAGMENTS) if stream else variant
    path = await _path(videos, video, name)
    try:
        stat = await asyncio.to_thread(path.stat)
    except FileNotFoundError as exc:
        raise VideoNotFound(video_id) from exc
    headers = {
        # Not from the file's time, which differs between copies of a folder.
        "ETag": f'"{video.id}-{name}"',
        "Last-Modified": formatdate(video.completed_at, usegmt=True),
        "Content-Disposition": content_disposition(video.request, path.suffix),
        "Cache-Control": "private",
    }
    if is_known(request, headers["ETag"]):
        return not_modified(headers)
    return RangedFile(path, media_type=MEDIA_TYPES[path.suffix], headers=headers, stat_result=stat)


def _validate_streamable(variant: str) -> None:
    if variant != "video":
        msg = f"Input should be false or absent with variant {variant}, which is a picture"
        raise RequestValidationError([{"loc": ("query", "stream"), "msg": msg, "type": "value_error"}])


async def _live_answer(request: Request, video: Video) -> Response | None:
    """Return the clip as it is decoded, once there is something of it; None if the video is finished by then."""
    live = services_of(request).videos.live(video.id)
    if live is None:
        return None
    container = FORMATS[video.request.spec.container]
    headers = LIVE_HEADERS | {"Content-Disposition": content_disposition(video.request, container.suffix)}
    if request.method == "HEAD":
        answer = Response(headers=headers, media_type=container.media_type)
        del answer.headers["Content-Length"]
        return answer
    reader = await unless_disconnected(request, live.open())
    return None if reader is None else LiveClipResponse(reader, headers, container.media_type)


async def _path(videos: Videos, video: Video, name: str) -> Path:
    return videos.path(video) if name == "video" else await videos.variant_path(video, Variant(name))


def _how_it_ended(failure: Failure | None) -> str:
    return f" ({failure.message})" if failure is not None else " yet"
