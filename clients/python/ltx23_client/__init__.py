"""A client of LTX-2.3 servers: `LTX23`, and `AsyncLTX23` for asyncio."""

from ltx23_client.answers import Adjustment, Enhancement, Health, Model, Preview, Progress, Video, VideoFailure
from ltx23_client.async_client import AsyncLTX23, AsyncVideos
from ltx23_client.clip import Clip
from ltx23_client.errors import (
    AnswerError,
    APIError,
    BodyTooLarge,
    ConnectionFailed,
    FieldProblem,
    InputError,
    InvalidRequest,
    LTX23Error,
    NotFinished,
    NotFound,
    QueueFull,
    RenderCancelled,
    RenderFailed,
    ServerFailed,
    Unauthorized,
    Unavailable,
    WaitTimeout,
)
from ltx23_client.fields import ClipFields, Continuation, Keyframe, Lora, Retake, VideoFields
from ltx23_client.files import Media
from ltx23_client.sync_client import LTX23, Videos

__all__ = [
    "LTX23",
    "APIError",
    "Adjustment",
    "AnswerError",
    "AsyncLTX23",
    "AsyncVideos",
    "BodyTooLarge",
    "Clip",
    "ClipFields",
    "ConnectionFailed",
    "Continuation",
    "Enhancement",
    "FieldProblem",
    "Health",
    "InputError",
    "InvalidRequest",
    "Keyframe",
    "LTX23Error",
    "Lora",
    "Media",
    "Model",
    "NotFinished",
    "NotFound",
    "Preview",
    "Progress",
    "QueueFull",
    "RenderCancelled",
    "RenderFailed",
    "Retake",
    "ServerFailed",
    "Unauthorized",
    "Unavailable",
    "Video",
    "VideoFailure",
    "VideoFields",
    "Videos",
    "WaitTimeout",
]
