"""A video: the record of one clip, from its creation to its end. Immutable; times are Unix seconds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from server.jobs.job import DeadlineExceeded, JobError, RenderFailed, RenderRefused
from server.videos.prepared import PreparedRequest

ID_PREFIX = "video_"
LIVE = "live"
_ID = re.compile(rf"{ID_PREFIX}(?P<ms>[0-9a-f]{{12}})[0-9a-f]{{20}}")


class VideoStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    code: str
    message: str

    @classmethod
    def of(cls, error: JobError) -> "Failure":
        return cls(error.code, str(error))


# The errors that are not failures of the render itself.
ENDS: dict[str, type[JobError]] = {error.code: error for error in (RenderRefused, DeadlineExceeded)}
INTERRUPTED = Failure("interrupted", "the server ended while it was rendered")


@dataclass(frozen=True)
class Idempotency:
    """The key that a client gave its request, and the request's fingerprint."""

    key: str
    fingerprint: str


@dataclass(frozen=True)
class Video:
    """The record of one clip.

    owner: the id of the API key that it belongs to. timings_s: queue, enhance, encode, denoise, decode, mux.
    size_bytes: of the clip. previews_bytes: of its variants. peak_memory_bytes: as in `server.worker.messages.Done`.
    """

    id: str
    owner: str | None
    request: PreparedRequest
    created_at: float
    status: VideoStatus = VideoStatus.QUEUED
    completed_at: float | None = None
    size_bytes: int = 0
    previews_bytes: int = 0
    timings_s: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    failure: Failure | None = None
    idempotency: Idempotency | None = None

    @property
    def inference_s(self) -> float | None:
        return inference_s(self.timings_s) if self.timings_s else None

    def path(self, folder: Path) -> Path:
        return folder / self.request.file_name

    def live_path(self, folder: Path) -> Path:
        """Return the file that the clip is written to while it is decoded."""
        return folder / f"{LIVE}{Path(self.request.file_name).suffix}"

    def raise_if_failed(self) -> None:
        """Raise the JobError that the video ended with, if it failed."""
        if self.failure is not None:
            raise ENDS.get(self.failure.code, RenderFailed)(self.failure.message)

    def queued(self) -> "Video":
        return replace(self, status=VideoStatus.QUEUED)

    def begun(self) -> "Video":
        return replace(self, status=VideoStatus.IN_PROGRESS)

    def completed(
        self, at: float, size_bytes: int, timings_s: Mapping[str, float], peak_memory_bytes: int | None = None
    ) -> "Video":
        return replace(
            self,
            status=VideoStatus.COMPLETED,
            completed_at=at,
            size_bytes=size_bytes,
            timings_s=dict(timings_s),
            peak_memory_bytes=peak_memory_bytes,
        )

    def failed(self, at: float, failure: Failure) -> "Video":
        return replace(self, status=VideoStatus.FAILED, completed_at=at, failure=failure)


def inference_s(timings_s: Mapping[str, float]) -> float:
    """Return how long a worker took, without the queue and the enhancement."""
    return sum(seconds for name, seconds in timings_s.items() if name not in ("queue", "enhance"))


class VideoIds:
    """Draws ids that sort by time, so that a listing can continue after a video that has been deleted."""

    def __init__(self) -> None:
        self._last_ms = 0

    def draw(self, now: float, suffix: str) -> str:
        self._last_ms = max(int(now * 1000), self._last_ms + 1)
        return f"{ID_PREFIX}{self._last_ms:012x}{suffix}"


def may_be_id(text: str, now: float) -> bool:
    """Return whether `VideoIds` can have drawn this id: it has the right form, and its time is not in the future."""
    match = _ID.fullmatch(text)
    return match is not None and int(match["ms"], 16) <= now * 1000
