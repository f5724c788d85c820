"""GET /v1/videos/{video_id}/content: the clip or a preview of it, whole or in ranges."""

import asyncio
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response

from pipelines.media.codecs import FORMATS
from server.answers.byte_ranges import RangedFile
from server.answers.clip import BINARY, CLIP, content_disposition
from server.answers.entity_tags import is_known, not_modified
from server.answers.error_schema import READ, errors
from server.requests.context import context_of
from server.services import services_of
from server.videos.errors import VideoNotFinished, VideoNotFound
from server.videos.library import Videos
from server.videos.previews import Preview
from server.videos.video import Failure, Video, VideoStatus

router = APIRouter(prefix="/v1/videos")

MEDIA_TYPES = {".webp": "image/webp", ".jpg": "image/jpeg"} | {
    container.suffix: container.media_type for container in FORMATS.values()
}
FILE = CLIP | {
    "description": "The clip, its thumbnail or its spritesheet",
    "content": CLIP["content"] | {"image/webp": BINARY, "image/jpeg": BINARY},
}
NOT_MODIFIED = {"description": "The client has the file: If-None-Match names its ETag"}


@router.get(
    "/{video_id}/content",
    summary="Get the clip of a completed video, its thumbnail (WebP) or spritesheet (JPEG)",
    response_class=Response,
    responses=errors(*READ, 404, 409, 416, 503) | {200: FILE, 206: FILE, 304: NOT_MODIFIED},
)
async def download_video(
    request: Request, video_id: str, variant: Literal["video", "thumbnail", "spritesheet"] = "video"
) -> Response:
    videos = services_of(request).videos
    video = (await videos.get(video_id, context_of(request).owner)).video
    if video.status is not VideoStatus.COMPLETED:
        raise VideoNotFinished(f"the video is {video.status}: it has no file" + _how_it_ended(video.failure))
    path = await _path(videos, video, variant)
    try:
        stat = await asyncio.to_thread(path.stat)
    except FileNotFoundError as exc:
        raise VideoNotFound(video_id) from exc
    headers = {
        # Not from the file's time, which differs between copies of a folder.
        "ETag": f'"{video.id}-{variant}"',
        "Last-Modified": formatdate(video.completed_at, usegmt=True),
        "Content-Disposition": content_disposition(video.request, path.suffix),
        "Cache-Control": "private",
    }
    if is_known(request, headers["ETag"]):
        return not_modified(headers)
    return RangedFile(path, media_type=MEDIA_TYPES[path.suffix], headers=headers, stat_result=stat)


async def _path(videos: Videos, video: Video, variant: str) -> Path:
    return videos.path(video) if variant == "video" else await videos.preview_path(video, Preview(variant))


def _how_it_ended(failure: Failure | None) -> str:
    return f" ({failure.message})" if failure is not None else " yet"
