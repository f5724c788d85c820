"""What an earlier server left unfinished: what waited can wait on, what ran has failed."""

import logging
from collections.abc import AsyncIterator

from server.videos.errors import StoreError
from server.videos.store import VideoStore
from server.videos.video import INTERRUPTED, Failure, Video, VideoStatus

log = logging.getLogger("ltx23.videos")

LOST_IMAGES = Failure("lost", "the server ended before it was rendered, and its images are gone; send it again")


async def waiting_videos(store: VideoStore, now: float) -> AsyncIterator[Video]:
    """Those that can still be rendered, the oldest first. All others have failed, on record; one whose record cannot be
    read is forgotten.
    """
    for video_id in await store.unfinished_ids():
        video = await _read(store, video_id)
        failure = _failure(video) if video is not None else None
        if video is not None and failure is not None:
            await store.update(video.failed(now, failure))
        elif video is not None:
            yield video


async def _read(store: VideoStore, video_id: str) -> Video | None:
    try:
        return await store.get(video_id)
    except StoreError as exc:
        log.error("a video is forgotten: %s", exc)
        await store.delete(video_id)
        return None


def _failure(video: Video) -> Failure | None:
    if video.status is VideoStatus.IN_PROGRESS:
        return INTERRUPTED
    if not all(keyframe.path.exists() for keyframe in video.order.spec.keyframes):
        return LOST_IMAGES
    return None
