"""Sort the videos that an earlier server left unfinished.

Complete clips are kept, queued videos keep waiting, and interrupted renders are recorded as failed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from pipelines.errors import MuxError
from server.videos.data_dir import DataDir
from server.videos.errors import StoreError
from server.videos.store import VideoStore
from server.videos.video import INTERRUPTED, Failure, Video, VideoStatus

log = logging.getLogger("ltx23.videos")

LOST_INPUTS = Failure(
    "lost", "the server ended before it was rendered, and its images or its sound are gone; send it again"
)


async def recover_videos(store: VideoStore, data_dir: DataDir, now: float) -> AsyncIterator[Video]:
    """Yield the videos that can still be rendered, oldest first.

    The others are recorded as completed or failed. A video whose record cannot be read is deleted from the database.
    """
    for video_id in await store.unfinished_ids():
        video = await _read(store, video_id)
        if video is None:
            continue
        found = await asyncio.to_thread(_find_end, video, data_dir, now)
        if found.completed_at is None:
            yield found
            continue
        log.warning("%s was %s when an earlier server ended, and is now %s", video.id, video.status, found.status)
        await store.update(found)


async def _read(store: VideoStore, video_id: str) -> Video | None:
    try:
        return await store.get(video_id)
    except StoreError as exc:
        log.error("a video is forgotten: %s", exc)
        await store.delete(video_id)
        return None


def _find_end(video: Video, data_dir: DataDir, now: float) -> Video:
    """Return the video as completed or failed, according to its files, or unchanged if it can still be rendered."""
    path = video.path(data_dir.folder(video.id))
    if _is_whole(path, video):
        stat = path.stat()
        data_dir.remove_work_files(video.id)
        return video.completed(stat.st_mtime, stat.st_size, {"enhance": video.request.enhance_s})
    if video.status is VideoStatus.IN_PROGRESS:
        data_dir.remove_files(video.id)
        return video.failed(now, INTERRUPTED)
    if not all(path.exists() for path in video.request.spec.inputs):
        return video.failed(now, LOST_INPUTS)
    return video


def _is_whole(path: Path, video: Video) -> bool:
    """Return whether a worker had finished this clip, although that was not recorded."""
    if not path.exists():
        return False
    from pipelines.media.probe import verify_clip

    try:
        verify_clip(path, video.request.spec)
    except MuxError as exc:
        log.warning("%s: %s", video.id, exc)
        return False
    return True
