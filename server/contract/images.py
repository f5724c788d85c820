"""The images that condition a clip, decoded, each with its frame. Does not look at the pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from server.contract.aliases import SentRequest
from server.contract.base64_image import decode_image
from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.report import Report
from server.contract.wire import GenerateRequest, KeyframeRequest


@dataclass(frozen=True)
class ResolvedImage:
    """The bytes of an image file, not checked yet. loc: where its base64 was sent."""

    data: bytes = field(repr=False)
    frame_idx: int
    strength: float
    crf: int
    loc: Loc


def resolve_images(
    request: GenerateRequest, sent: SentRequest, num_frames: int, report: Report
) -> tuple[ResolvedImage, ...]:
    if request.keyframes is None:
        return _input_image(request, sent)
    if request.input_image_b64 is not None:
        report.add("input_image_b64", None, "keyframes win over a single image")
    locs = [sent.as_sent(("keyframes", i, "image_b64")) for i in range(len(request.keyframes))]
    if sent.single_image:
        _report_frame(request.keyframes[0], report)
        return _decode_all(request.keyframes, [0], locs)
    frames = [num_frames - 1 if keyframe.frame_idx == -1 else keyframe.frame_idx for keyframe in request.keyframes]
    _validate_frames(frames, num_frames, sent)
    return _decode_all(request.keyframes, frames, locs)


def _input_image(request: GenerateRequest, sent: SentRequest) -> tuple[ResolvedImage, ...]:
    if request.input_image_b64 is None:
        return ()
    keyframe = KeyframeRequest(image_b64=request.input_image_b64, frame_idx=0)
    return _decode_all([keyframe], [0], [sent.as_sent(("input_image_b64",))])


def _report_frame(keyframe: KeyframeRequest, report: Report) -> None:
    if keyframe.frame_idx != 0:
        path = ("keyframes", 0, "frame_idx")
        report.add("keyframes.0.frame_idx", 0, "a single image is shown at frame 0", path=path)


def _validate_frames(frames: Sequence[int], num_frames: int, sent: SentRequest) -> None:
    errors = list(_frame_errors(frames, num_frames))
    if errors:
        raise RequestInvalid([FieldError(sent.as_sent(e.loc), e.msg, e.type) for e in errors])


def _frame_errors(frames: Sequence[int], num_frames: int) -> Iterator[FieldError]:
    if len(frames) < 2:
        msg = "Two or more keyframes are needed; a single image goes to input_image_b64"
        yield FieldError(("keyframes",), msg, "too_short")
    elif 0 not in frames:
        yield FieldError(("keyframes",), "One of the keyframes should have frame_idx 0", "first_frame_missing")
    for i, frame_idx in enumerate(frames):
        loc: Loc = ("keyframes", i, "frame_idx")
        if frame_idx >= num_frames:
            msg = f"Input should be 0 .. {num_frames - 1}, or -1 for the last: the clip has {num_frames} frames"
            yield FieldError(loc, msg, "frame_out_of_range")
        elif frame_idx in frames[:i]:
            yield FieldError(loc, "An earlier keyframe has this frame; each needs its own", "frame_repeated")


def _decode_all(
    keyframes: Sequence[KeyframeRequest], frames: Sequence[int], locs: Sequence[Loc]
) -> tuple[ResolvedImage, ...]:
    images: list[ResolvedImage] = []
    errors: list[FieldError] = []
    for keyframe, frame_idx, loc in zip(keyframes, frames, locs, strict=True):
        try:
            data = decode_image(keyframe.image_b64)
            images.append(ResolvedImage(data, frame_idx, keyframe.strength, keyframe.crf, loc))
        except ValueError as exc:
            errors.append(FieldError(loc, str(exc), "image_invalid"))
    if errors:
        raise RequestInvalid(errors)
    return tuple(images)
