"""What the server answers, as dataclasses. `raw` has the answer as it came, with fields that a newer server adds."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from ltx23_client.errors import AnswerError
from ltx23_client.names import our_name

A = TypeVar("A")
Status = Literal["queued", "in_progress", "completed", "failed"]


@dataclass(frozen=True)
class Adjustment:
    """A field that was not used as it was sent."""

    field: str
    requested: str | bool | int | float | None
    used: str | bool | int | float | None
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.used} instead of {self.requested} ({self.reason})"


@dataclass(frozen=True)
class VideoFailure:
    code: str
    message: str


@dataclass(frozen=True)
class Video:
    """A job of the server: its parameters, its progress and how it ended."""

    id: str
    status: Status
    progress: int
    """Percent."""
    prompt: str
    """The prompt that is rendered."""
    original_prompt: str
    """The prompt that was sent."""
    enhanced: bool
    width: int
    height: int
    num_frames: int
    fps: float
    duration: float
    """Seconds."""
    has_audio: bool
    seed: int
    video_format: str
    size_bytes: int
    """0 until the file exists."""
    created_at: int
    completed_at: int | None
    expires_at: int | None
    """Unix seconds at which the server deletes it."""
    inference_time_s: float | None
    adjustments: tuple[Adjustment, ...]
    timings: Mapping[str, float]
    """Seconds in each stage."""
    error: VideoFailure | None
    raw: Mapping[str, Any] = field(repr=False)
    batch: tuple[str, ...] = ()
    """The ids of all videos of a request with `n`."""
    remixed_from_video_id: str | None = None
    url: str | None = None
    """A link to the file that needs no key, once the file exists."""

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what the clip was made with, by the names that a request has."""
        parameters = {name: getattr(self, name) for name in _PARAMETERS}
        parameters["generate_audio"] = self.has_audio
        for name in ("guidance", "loras"):
            if self.raw.get(name):
                parameters[name] = self.raw[name]
        return parameters


_PARAMETERS = ("prompt", "width", "height", "num_frames", "fps", "seed", "video_format")


@dataclass(frozen=True)
class Progress:
    """How far a video is. position: its place in the queue, from 1; None once it is rendered."""

    status: Status
    position: int | None
    stage: str | None
    step: int
    steps: int
    percent: int
    seconds_left: float | None


@dataclass(frozen=True)
class Preview:
    """The clip as a step left it: a small animated WebP."""

    stage: str
    step: int
    steps: int
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Enhancement:
    """A rewritten prompt. caption: of the first image. notes: what was changed in the rewrite, or failed."""

    prompt: str
    caption: str | None
    notes: tuple[str, ...]
    timings: Mapping[str, float]


@dataclass(frozen=True)
class Model:
    """The model of the server. Fields that are known only once it is loaded are None before that."""

    id: str
    is_tiny: bool | None
    device: str | None
    features: tuple[str, ...]
    limits: Mapping[str, Any]
    defaults: Mapping[str, Any]
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def loras(self) -> tuple[str, ...]:
        """Return the names of the LoRAs that a request may ask for."""
        return tuple(lora["name"] for lora in self.raw.get("loras", ()))


@dataclass(frozen=True)
class Health:
    """The state of the server. is_ready: a request that is sent now would be served. status: `ok`, or why not."""

    is_ready: bool
    status: str
    waiting: int
    running: int
    capacity: int
    raw: Mapping[str, Any] = field(repr=False)


def read_video(body: Mapping[str, Any]) -> Video:
    error = body.get("error")
    return _pick(
        Video,
        body,
        adjustments=tuple(
            _pick(Adjustment, item, field=our_name(item["field"])) for item in body.get("adjustments", ())
        ),
        error=_pick(VideoFailure, error) if error else None,
        batch=tuple(body.get("batch") or ()),
        raw=body,
    )


def read_progress(body: Mapping[str, Any]) -> Progress:
    return _pick(Progress, body)


def read_preview(body: Mapping[str, Any]) -> Preview:
    return _pick(Preview, body, data=base64.b64decode(body.get("data") or ""))


def read_enhancement(body: Mapping[str, Any]) -> Enhancement:
    return _pick(Enhancement, body, notes=tuple(body.get("notes", ())))


def read_models(body: Mapping[str, Any]) -> tuple[Model, ...]:
    return tuple(
        _pick(Model, model, features=tuple(model.get("features", ())), raw=model) for model in body.get("data", ())
    )


def read_health(body: Mapping[str, Any]) -> Health:
    queue = body.get("queue", {})
    return _pick(
        Health,
        body,
        is_ready=body.get("status") == "ok",
        waiting=queue.get("depth"),
        running=queue.get("running"),
        capacity=queue.get("capacity"),
        raw=body,
    )


def _pick(kind: type[A], body: Mapping[str, Any], **read: Any) -> A:
    """Make a dataclass from the fields of a JSON object that it knows. Raises AnswerError if it lacks one."""
    known = {each.name: body[each.name] for each in fields(kind) if each.name in body}  # type: ignore[arg-type]
    try:
        return kind(**(known | read))
    except TypeError as exc:
        raise AnswerError(f"the answer is not a {kind.__name__} of an LTX-2.3 server: {exc}") from exc
