"""Resolve the clip that another one is made from: what is rendered of it, and the size and length that follow from it.

What the clip holds is found out by the process that decodes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.direction import Continuation, Retake, Source
from pipelines.errors import SpecError
from pipelines.geometry import TEMPORAL_COMPRESSION, max_num_frames, position_fps, snap_size
from pipelines.media.source_info import SourceInfo
from pipelines.memory import DEFAULT_CLIP
from server.contract.adjustments import Adjustment, Report
from server.contract.errors import Loc, RequestInvalid, relocated
from server.contract.names.aliases import read_names
from server.contract.names.envelope import unwrap
from server.contract.names.pictures import is_url
from server.contract.names.sent import SentRequest
from server.contract.parsing.base64_file import VIDEO, decode_base64_file
from server.contract.wire import ContinueRequest, GenerateRequest, RetakeRequest

NEEDS_CLIP = "It needs a clip: send video_b64, or from_video with the id of a video of this server"
NEEDS_WORK = "Send retake or continue with it, which say what to render"
NOT_FETCHED = "This server fetches nothing: send the clip itself, in base64 or as a data: URL"
NOT_BESIDE = "Cannot be sent with retake or continue, which go on from the sound of the clip"
FIELDS = ("video_b64", "from_video", "retake", "continue")
# Where the clip decides, a value that was sent is not used.
DECIDED = ("num_frames", "duration", "fps")
OTHER_SIZE = "Should be {own}, as the clip that is retaken or continued, or left out"
NO_SOUND = "The clip has no sound that could be kept: send generate_audio false, or have it rendered"


@dataclass(frozen=True)
class ResolvedSource:
    """A clip that another one is made from: its bytes, not checked yet, or the id of a video of this server.

    loc: the path of either in the body.
    """

    loc: Loc
    data: bytes | None = dataclass_field(default=None, repr=False)
    video_id: str | None = None


@dataclass(frozen=True)
class ClipShape:
    """The size and the length of what is rendered.

    source: without the file's path. images: the rendered frames that may show one. first_frame: the frame of the file
    that is the first one rendered. file_frames: those of the file.
    """

    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    source: Source | None = None
    images: range = range(0)
    first_frame: int = 0
    file_frames: int = 0


def find_source(raw: Mapping[str, Any]) -> ResolvedSource | None:
    """Return the clip of a request, which has to be inspected before the request is resolved. Raises RequestInvalid."""
    unwrapped = unwrap(raw)
    with relocated(unwrapped.as_sent):
        sent = read_names(unwrapped.fields)
        if not any(field in sent.values for field in FIELDS):
            return None
        request = sent.read_as(GenerateRequest)
        _validate_together(request, sent)
        source = _resolve_clip(request, sent)
    return replace(source, loc=unwrapped.as_sent(source.loc))


def resolve_source(request: GenerateRequest, sent: SentRequest, info: SourceInfo, report: Report) -> ClipShape:
    """Return what to render of the clip. Raises RequestInvalid."""
    width, height = snap_size(info.width, info.height)
    _validate_size(request, sent, info, (width, height))
    if request.retake is not None and not request.retake.audio and request.generate_audio and not info.has_sound:
        raise RequestInvalid.at(sent.as_sent(("retake", "audio")), NO_SOUND, "no_sound")
    _report_clip(request, sent, info, (width, height), report)
    try:
        if request.retake is not None:
            shape = _retaken(request.retake, info, (width, height), report)
        else:
            assert request.continue_ is not None
            shape = _continued(request.continue_, info, (width, height), report)
    except SpecError as exc:
        raise RequestInvalid.at(sent.as_sent((exc.field,)), exc.message, f"{exc.field}_invalid") from exc
    _report_decided(request, shape, report)
    return shape


def _validate_together(request: GenerateRequest, sent: SentRequest) -> None:
    def refuse(field: str, msg: str) -> None:
        raise RequestInvalid.at(sent.as_sent((field,)), msg, f"{field}_not_possible")

    clip = next((field for field in ("video_b64", "from_video") if field in sent.values), None)
    work = next((field for field in ("retake", "continue") if field in sent.values), None)
    if clip is None:
        refuse(str(work), NEEDS_CLIP)
    if work is None:
        refuse(str(clip), NEEDS_WORK)
    if request.video_b64 is not None and request.from_video is not None:
        refuse("from_video", "Cannot be sent with video_b64: send one of them")
    if request.retake is not None and request.continue_ is not None:
        refuse("continue", "Cannot be sent with retake: send one of them")
    if "audio_b64" in sent.values:
        refuse("audio_b64", NOT_BESIDE)


def _validate_size(request: GenerateRequest, sent: SentRequest, info: SourceInfo, size: tuple[int, int]) -> None:
    """Raise RequestInvalid for a width or a height that is not the clip's, unless both are the default."""
    if (request.width, request.height) == (DEFAULT_CLIP.width, DEFAULT_CLIP.height):
        return
    for field, own, used in zip(("width", "height"), (info.width, info.height), size, strict=True):
        if field in request.model_fields_set and getattr(request, field) not in (own, used):
            raise RequestInvalid.at(sent.as_sent((field,)), OTHER_SIZE.format(own=used), "size_differs")


def _resolve_clip(request: GenerateRequest, sent: SentRequest) -> ResolvedSource:
    if request.from_video is not None:
        return ResolvedSource(sent.as_sent(("from_video",)), video_id=request.from_video)
    loc = sent.as_sent(("video_b64",))
    assert request.video_b64 is not None
    if is_url(request.video_b64):
        raise RequestInvalid.at(loc, NOT_FETCHED, "video_not_fetched")
    try:
        return ResolvedSource(loc, decode_base64_file(request.video_b64, VIDEO))
    except ValueError as exc:
        raise RequestInvalid.at(loc, str(exc), "video_invalid") from exc


def _retaken(sent: RetakeRequest, info: SourceInfo, size: tuple[int, int], report: Report) -> ClipShape:
    if sent.start >= info.duration_s:
        raise SpecError("retake", f"Should start before the clip ends at {float(info.duration_s):.3f} s")
    end_s = float(info.duration_s) if sent.end is None else sent.end
    retake = Retake(Path(), info.num_frames, sent.start, end_s, sent.video, sent.audio)
    most = max_num_frames(*size, info.frame_rate)
    if retake.num_frames > most:
        at = f"at {size[0]}x{size[1]} at most {most} can be rendered at once"
        raise SpecError("retake", f"The clip has {info.num_frames} frames, and {at}: send a part of it")
    if retake.video:
        _report_window(retake, info, report)
    images = retake.image_frames(float(info.frame_rate))
    return ClipShape(*size, retake.num_frames, info.frame_rate, retake, images, 0, info.num_frames)


def _report_window(retake: Retake, info: SourceInfo, report: Report) -> None:
    """Report a part that is longer than what was sent: 8 frames share a latent."""
    frames = retake.frames(position_fps(info.frame_rate))
    start_s = float(frames.start / info.frame_rate)
    end_s = float(min(frames.stop, info.num_frames) / info.frame_rate)
    frame_s = float(1 / info.frame_rate)
    if retake.start_s - start_s >= frame_s or end_s - min(retake.end_s, float(info.duration_s)) >= frame_s:
        sent, used = f"{retake.start_s:g} .. {retake.end_s:g} s", f"{start_s:.3f} .. {end_s:.3f} s"
        reason = f"frames are rendered anew in groups of {TEMPORAL_COMPRESSION}"
        report.add_sent(report.as_sent(("retake",)), Adjustment("retake", sent, used, reason))


def _continued(sent: ContinueRequest, info: SourceInfo, size: tuple[int, int], report: Report) -> ClipShape:
    continuation = Continuation(Path(), info.num_frames, sent.context_frames)
    context = continuation.context_frames
    wanted = max(round(Fraction(str(sent.seconds)) * info.frame_rate / TEMPORAL_COMPRESSION), 1) * TEMPORAL_COMPRESSION
    most = max_num_frames(*size, info.frame_rate) - context
    if most < TEMPORAL_COMPRESSION:
        raise SpecError("continue", f"Should have fewer context_frames: {context} leave no room for more")
    added = min(wanted, most)
    if added < wanted:
        used = round(float(added / info.frame_rate), 3)
        reason = f"at most {most} frames can follow {context} frames at {size[0]}x{size[1]}"
        report.add("continue.seconds", used, reason, path=("continue", "seconds"))
    images, total = range(context, context + added), info.num_frames + added
    return ClipShape(*size, context + added, info.frame_rate, continuation, images, continuation.first_frame, total)


def _report_clip(
    request: GenerateRequest, sent: SentRequest, info: SourceInfo, size: tuple[int, int], report: Report
) -> None:
    field = "video_b64" if request.from_video is None else "from_video"
    if size != (info.width, info.height):
        used = f"{size[0]}x{size[1]}"
        reason = f"its frames are scaled to cover the nearest size, {used}, and cropped"
        report.add_sent(sent.as_sent((field,)), Adjustment(field, f"{info.width}x{info.height}", used, reason))
    if abs(info.frame_rate - info.stored_rate) > Fraction(1, 100):
        stored, used = f"{float(info.stored_rate):.6g} fps", f"{float(info.frame_rate):.6g} fps"
        reason = "frames a second are kept within the limits of fps"
        report.add_sent(sent.as_sent((field,)), Adjustment(field, stored, used, reason))


def _report_decided(request: GenerateRequest, shape: ClipShape, report: Report) -> None:
    used = {"fps": round(float(shape.frame_rate), 3)}
    for field in DECIDED:
        if field in request.model_fields_set and getattr(request, field) != used.get(field, 0):
            report.add(field, used.get(field), "the clip that is retaken or continued decides it")
