"""Refuse the endpoints of OpenAI's Videos API that this server does not support: remix, edits, extensions, characters.

The status is 400, because the official client retries a request after a 501.
"""

from typing import NoReturn

from fastapi import APIRouter, Request

from server.answers.errors import Unsupported
from server.requests.body import read_body
from server.requests.context import context_of
from server.services import services_of

router = APIRouter(prefix="/v1/videos", include_in_schema=False)


@router.post("/{video_id}/remix")
@router.post("/{video_id}/edit")
@router.post("/{video_id}/edits")
@router.post("/{video_id}/extend")
@router.post("/{video_id}/extensions")
async def edit_video(request: Request, video_id: str) -> None:
    await _refuse(request, video_id)


@router.post("/edits")
@router.post("/extensions")
async def edit_named_video(request: Request) -> None:
    """Read the video's id from the body, where it is sent as `{"video": {"id": ...}}`, and refuse the request."""
    video = (await read_body(request)).fields.get("video")
    video_id = video.get("id") if isinstance(video, dict) else None
    await _refuse(request, video_id if isinstance(video_id, str) else None)


@router.post("/characters")
@router.get("/characters/{character_id}")
async def characters() -> None:
    raise Unsupported("Characters are not supported; describe them in the prompt")


async def _refuse(request: Request, video_id: str | None) -> NoReturn:
    """Raise VideoNotFound if the video does not exist, else Unsupported."""
    if video_id is not None:
        await services_of(request).videos.get(video_id, context_of(request).owner)
    action = request.url.path.rpartition("/")[2]
    raise Unsupported(
        f"{action} is not supported: this server makes new videos only. POST /v1/videos with a prompt; to go on from "
        "another video, send its last frame as input_reference"
    )
