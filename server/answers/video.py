"""Describe a video as OpenAI's clients expect it, with this server's additions."""

from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.geometry import snap_num_frames
from server.answers.clip import MEBIBYTE, ClipFacts, clip_facts, decimal
from server.videos.active import Snapshot
from server.videos.prepared import PreparedRequest
from server.videos.video import VideoStatus

Status = Literal["queued", "in_progress", "completed", "failed"]


class VideoFailure(BaseModel):
    """The reason why a video failed."""

    code: str
    message: str


class VideoAnswer(ClipFacts):
    """A video: its parameters, progress and result."""

    model_config = ConfigDict(title="Video")

    id: str
    object: Literal["video"] = "video"
    status: Status
    progress: int = Field(description="Progress in percent.")
    created_at: int = Field(description="Creation time in Unix seconds.")
    completed_at: int | None
    expires_at: int | None = Field(description="Unix seconds at which the video is deleted.")
    seconds: str = Field(description="The requested seconds; `duration` is the length of the clip.")
    size: str = Field(description="WIDTHxHEIGHT in pixels.")
    error: VideoFailure | None
    batch: list[str] | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Only in the answer to a request with `n` above 1: the ids of its videos, this one first.",
    )
    remixed_from_video_id: str | None = Field(default=None, description="The video that it is made from.")
    video_format: str
    size_bytes: int = Field(description="Size of the file; 0 until it exists.")
    inference_time_s: float | None = Field(description="Render time in seconds; null until completed.")
    peak_memory_mb: float | None = Field(description="Peak memory of the render in MiB, including the weights.")
    url: str | None = Field(default=None, description="Link to the file, once it exists.")
    events_url: str | None = Field(default=None, description="Link to the server-sent events.")


class VideoListAnswer(BaseModel):
    """A page of videos."""

    model_config = ConfigDict(title="VideoList")

    object: Literal["list"] = "list"
    data: list[VideoAnswer]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeletedAnswer(BaseModel):
    """A video that was deleted."""

    model_config = ConfigDict(title="VideoDeleted")

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


class ProgressAnswer(BaseModel):
    """The progress of an unfinished video."""

    model_config = ConfigDict(title="VideoProgress")

    id: str
    status: Status
    position: int | None = Field(description="Position in the queue, from 1; null once it is rendered.")
    stage: str | None
    step: int
    steps: int
    percent: int
    seconds_left: float | None = Field(description="Estimated seconds left.")


def video_json(
    snapshot: Snapshot, expires_at: float | None, url: str | None = None, events_url: str | None = None
) -> VideoAnswer:
    video, request = snapshot.video, snapshot.video.request
    spec, failure = request.spec, video.failure
    peak = video.peak_memory_bytes
    return VideoAnswer(
        **dict(clip_facts(request, video.timings_s)),
        id=video.id,
        status=_status(snapshot.status),
        progress=snapshot.percent,
        created_at=int(video.created_at),
        completed_at=_whole(video.completed_at),
        expires_at=_whole(expires_at),
        seconds=seconds_text(request),
        size=f"{spec.width}x{spec.height}",
        error=VideoFailure(code=failure.code, message=failure.message) if failure else None,
        remixed_from_video_id=request.from_video,
        video_format=str(spec.container),
        size_bytes=video.size_bytes,
        inference_time_s=None if video.inference_s is None else round(video.inference_s, 4),
        peak_memory_mb=None if peak is None else round(peak / MEBIBYTE, 1),
        url=url,
        events_url=events_url,
    )


def progress_json(snapshot: Snapshot) -> ProgressAnswer:
    """Describe the progress of an unfinished video."""
    progress, seconds_left = snapshot.progress, snapshot.seconds_left
    return ProgressAnswer(
        id=snapshot.video.id,
        status=_status(snapshot.status),
        position=progress.position if progress else None,
        stage=progress.stage if progress else None,
        step=progress.step if progress else 0,
        steps=progress.steps if progress else 0,
        percent=snapshot.percent,
        seconds_left=None if seconds_left is None else round(seconds_left, 1),
    )


def seconds_text(request: PreparedRequest) -> str:
    """Return the requested seconds, which clients compare with what they sent.

    The clip's own length is rounded to the grid of frames. Return it in whole seconds if no duration was requested or
    the clip is shorter or longer than that.
    """
    spec, asked = request.spec, request.requested_duration_s
    if asked and snap_num_frames(Fraction(str(asked)) * spec.frame_rate) == spec.delivered_frames:
        return str(decimal(asked))
    return str(max(1, round(spec.duration_s)))


def _status(status: VideoStatus) -> Status:
    return status.value


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
