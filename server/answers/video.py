"""Describe a video as OpenAI's clients expect it, with this server's additions."""

from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.geometry import snap_num_frames
from server.answers.clip import MEBIBYTE, MODEL_ID, AdjustmentAnswer, Decimal, adjustment_answers, decimal, rounded
from server.requests.prepared import PreparedRequest
from server.videos.live import Snapshot
from server.videos.video import VideoStatus

Status = Literal["queued", "in_progress", "completed", "failed"]


class VideoFailure(BaseModel):
    """The reason why a video failed."""

    code: str
    message: str


class VideoAnswer(BaseModel):
    """A video: its parameters, progress and result."""

    model_config = ConfigDict(title="Video")

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Status
    progress: int = Field(description="Progress in percent.")
    created_at: int = Field(description="Creation time in Unix seconds.")
    completed_at: int | None
    expires_at: int | None = Field(description="Unix seconds at which the video is deleted.")
    seconds: str = Field(description="The requested seconds; `duration` is the length of the clip.")
    duration: Decimal = Field(description="The length of the clip in seconds.")
    size: str = Field(description="WIDTHxHEIGHT in pixels.")
    prompt: str = Field(description="The prompt that is rendered.")
    error: VideoFailure | None
    remixed_from_video_id: str | None = None
    original_prompt: str = Field(description="The prompt that was sent.")
    enhanced: bool
    seed: int
    width: int
    height: int
    num_frames: int
    fps: Decimal
    has_audio: bool
    video_format: str
    size_bytes: int = Field(description="Size of the file; 0 until it exists.")
    adjustments: list[AdjustmentAnswer] = Field(description="Every value that was changed or ignored.")
    timings: dict[str, float] = Field(description="Seconds in each stage.")
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
        id=video.id,
        model=MODEL_ID,
        status=_status(snapshot.status),
        progress=snapshot.percent,
        created_at=int(video.created_at),
        completed_at=_whole(video.completed_at),
        expires_at=_whole(expires_at),
        seconds=seconds_text(request),
        duration=decimal(spec.duration_s),
        size=f"{spec.width}x{spec.height}",
        prompt=spec.prompt,
        error=VideoFailure(code=failure.code, message=failure.message) if failure else None,
        original_prompt=request.original_prompt,
        enhanced=request.enhanced,
        seed=spec.seed,
        width=spec.width,
        height=spec.height,
        num_frames=spec.num_frames,
        fps=decimal(spec.frame_rate),
        has_audio=spec.generate_audio,
        video_format=str(spec.container),
        size_bytes=video.size_bytes,
        adjustments=adjustment_answers(request.adjustments),
        timings=rounded(video.timings_s),
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
    if asked and snap_num_frames(Fraction(str(asked)) * spec.frame_rate) == spec.num_frames:
        return str(decimal(asked))
    return str(max(1, round(spec.duration_s)))


def _status(status: VideoStatus) -> Status:
    return status.value


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
