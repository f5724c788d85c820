"""The fields of a request: as a caller passes them, and as they are sent."""

import difflib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ltx23_client.errors import InputError
from ltx23_client.files import Media, encode_media


@dataclass(frozen=True)
class Keyframe:
    """An image at a frame of the clip.

    frame: 0 to num_frames - 1, or -1 for the last one. strength: 0 ignores the image, 1 keeps it unchanged. crf: how
    strongly it is compressed before it is used, 0 to 51.
    """

    image: Media
    frame: int
    strength: float | None = None
    crf: int | None = None


class Lora(TypedDict, total=False):
    name: str
    strength: float


class Retake(TypedDict, total=False):
    """The seconds of a clip to render anew. video, audio: False keeps the picture, or the sound."""

    start: float
    end: float
    video: bool
    audio: bool


class Continuation(TypedDict, total=False):
    """What to add to a clip. context_frames: how many of its last frames the model goes on from, 8k + 1."""

    seconds: float
    context_frames: int


class ClipFields(TypedDict, total=False):
    """The fields of a clip; docs/api.md and docs/directing.md describe them. What is None is not sent."""

    image: Media | None
    """The first frame."""
    keyframes: Sequence[Keyframe | Mapping[str, Any]] | None
    """Images at frames, as `Keyframe` or as a dict with its fields."""
    width: int | None
    height: int | None
    resolution: str | None
    """`720p`, `1080p` and so on, instead of `width` and `height`."""
    aspect_ratio: str | None
    num_frames: int | None
    duration: float | None
    """Seconds."""
    fps: float | None
    seed: int | None
    negative_prompt: str | None
    nag_scale: float | None
    nag_alpha: float | None
    nag_tau: float | None
    nag_audio: bool | None
    generate_audio: bool | None
    audio: Media | None
    """A sound that drives the picture and is the clip's track."""
    audio_start: float | None
    """Seconds."""
    video: Media | None
    """A clip, for `retake` or `continue_`."""
    from_video: str | None
    """Instead of `video`: the id of a finished video of the server."""
    retake: Retake | None
    continue_: Continuation | None
    loras: Sequence[Lora | str] | None
    """Names, or dicts with `name` and `strength`."""
    tail_guard: Literal["auto", "on", "off"] | None
    video_format: Literal["mp4", "webm"] | None
    embed_metadata: bool | None
    enhance_prompt: bool | None
    extra: Mapping[str, Any] | None
    """Fields that this client does not know, as they are sent."""
    strict: bool
    """Refuse what would be adjusted."""
    idempotency_key: str | None
    """Your own name for this request: sent again, it finds the same video."""


class VideoFields(ClipFields, total=False):
    """The fields of a clip, and how many of it to make."""

    n: int | None
    """Videos with consecutive seeds, 1 to 10."""


MEDIA = {"image": "input_image_b64", "audio": "audio_b64", "video": "video_b64"}
RENAMED = {"continue_": "continue"}
ABOUT_THE_REQUEST = ("extra", "strict", "idempotency_key")


@dataclass(frozen=True)
class Prepared:
    """A request as it is sent."""

    headers: Mapping[str, str]
    body: bytes


def prepare(prompt: str | None, fields: Mapping[str, Any]) -> Prepared:
    """Read the files and encode the body. Raises InputError."""
    _validate_names(fields)
    wire: dict[str, Any] = {} if prompt is None else {"prompt": prompt}
    for name, value in fields.items():
        if value is None or name in ABOUT_THE_REQUEST:
            continue
        if name in MEDIA:
            wire[MEDIA[name]] = encode_media(value, name)
        elif name == "keyframes":
            wire[name] = [_keyframe(keyframe, f"keyframes.{i}") for i, keyframe in enumerate(value)]
        elif name == "loras":
            wire[name] = [{"name": lora} if isinstance(lora, str) else dict(lora) for lora in value]
        else:
            wire[RENAMED.get(name, name)] = value
    headers = {"Content-Type": "application/json", "Idempotency-Key": fields.get("idempotency_key") or uuid.uuid4().hex}
    if fields.get("strict"):
        headers["Prefer"] = "handling=strict"
    return Prepared(headers, _encode(wire | dict(fields.get("extra") or {})))


def _keyframe(keyframe: Keyframe | Mapping[str, Any], path: str) -> dict[str, Any]:
    if not isinstance(keyframe, Keyframe):
        try:
            keyframe = Keyframe(**keyframe)
        except TypeError as exc:
            raise InputError(path, "should have image and frame, and may have strength and crf") from exc
    wire = {"image_b64": encode_media(keyframe.image, f"{path}.image"), "frame_idx": keyframe.frame}
    numbers = {"strength": keyframe.strength, "crf": keyframe.crf}
    return wire | {name: number for name, number in numbers.items() if number is not None}


def _encode(wire: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(wire, allow_nan=False).encode()
    except (TypeError, ValueError) as exc:
        bad = next((name for name, value in wire.items() if not _is_json(value)), "body")
        raise InputError(bad, f"cannot be sent as JSON: {exc}") from exc


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _validate_names(fields: Mapping[str, Any]) -> None:
    known = VideoFields.__annotations__.keys() | ClipFields.__annotations__.keys()
    for name in fields.keys() - known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f": did you mean {near[0]}?" if near else "; pass a field that this client does not know in extra={...}"
        raise InputError(name, f"is not a field of a clip{hint}")
