"""GET /v1/videos/{video_id}/content: the file, whole or in ranges."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Request, Response

from pipelines.media.codecs import FORMATS
from server.answers import CLIP
from server.byte_ranges import RangedFile
from server.engine import engine_of
from server.error_answers import READ, errors
from server.videos.errors import VideoNotFinished, VideoNotFound
from server.videos.video import Failure, VideoStatus

router = APIRouter(prefix="/v1/videos")


@router.get(
    "/{video_id}/content",
    summary="The clip of a completed video",
    response_class=Response,
    responses=errors(*READ, 404, 409, 416) | {200: CLIP, 206: CLIP},
)
async def download_video(request: Request, video_id: str, variant: Literal["video"] = "video") -> Response:
    videos = engine_of(request).videos
    video = (await videos.get(video_id, request.state.key_id)).video
    if video.status is not VideoStatus.COMPLETED:
        raise VideoNotFinished(f"the video is {video.status}: it has no file" + _how_it_ended(video.failure))
    path = videos.path(video)
    try:
        stat = await asyncio.to_thread(path.stat)
    except FileNotFoundError as exc:
        raise VideoNotFound(video_id) from exc
    spec = video.order.spec
    headers = {
        "Content-Disposition": f'inline; filename="ltx-23-video-{spec.seed}{path.suffix}"',
        "Cache-Control": "private",
    }
    return RangedFile(path, media_type=FORMATS[spec.container].media_type, headers=headers, stat_result=stat)


def _how_it_ended(failure: Failure | None) -> str:
    return f" ({failure.message})" if failure is not None else " yet"
