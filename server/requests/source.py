"""Find out whether the clip of a request can be used, and what it holds."""

from pathlib import Path

from pipelines.media.source_info import SourceInfo
from server.contract.errors import RequestInvalid
from server.contract.source import ResolvedSource
from server.jobs.workspace import Workspace
from server.uploads.checker import MediaChecker
from server.uploads.files import write_source
from server.videos.errors import VideoNotFound
from server.videos.library import Videos
from server.videos.video import VideoStatus

NOT_FOUND = "There is no such video, or it was deleted"
NOT_FINISHED = "This video is {status}: only the clip of a completed video can be used"


async def inspect_clip(
    checker: MediaChecker, workspace: Workspace, source: ResolvedSource, videos: Videos, owner: str | None
) -> SourceInfo:
    """Return what the clip holds. Raises RequestInvalid, or NotReady if the server stops.

    A clip that was sent is decoded completely, because a later error could no longer name its field.
    """
    clip = await clip_of(source, videos, owner)
    with workspace.job_folder() as folder:
        path = await written(source, clip, folder)
        found = await checker.inspect(path, owner, decode=source.video_id is None)
    if isinstance(found, str):
        raise RequestInvalid.at(source.loc, found, "video_invalid")
    return found


async def clip_of(source: ResolvedSource, videos: Videos, owner: str | None) -> bytes | Path:
    """Return the bytes that were sent, or the path of this server's video. Raises RequestInvalid."""
    if source.data is not None:
        return source.data
    assert source.video_id is not None
    try:
        video = (await videos.get(source.video_id, owner)).video
    except VideoNotFound as exc:
        raise RequestInvalid.at(source.loc, NOT_FOUND, "video_not_found") from exc
    if video.status is not VideoStatus.COMPLETED:
        raise RequestInvalid.at(source.loc, NOT_FINISHED.format(status=video.status), "video_not_completed")
    return videos.path(video)


async def written(source: ResolvedSource, clip: bytes | Path, folder: Path) -> Path:
    """Write the clip into a folder. Raises RequestInvalid if it was deleted meanwhile."""
    try:
        return await write_source(folder, clip)
    except FileNotFoundError as exc:
        raise RequestInvalid.at(source.loc, NOT_FOUND, "video_not_found") from exc
