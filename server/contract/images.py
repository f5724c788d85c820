"""Decode the images that condition a clip, each for its frame, and report what the clip will not show of them.

Their pixels are checked later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from pipelines.media.image_crop import Crop, Size
from server.contract.adjustments import Adjustment, Report
from server.contract.errors import FieldError, Loc, RequestInvalid, dotted, relocated
from server.contract.keyframes import place_keyframes
from server.contract.names.pictures import is_url
from server.contract.names.sent import SentRequest
from server.contract.parsing.base64_file import IMAGE, decode_base64_file
from server.contract.scalars import LAST_FRAME
from server.contract.timing import Timing
from server.contract.wire import GenerateRequest, KeyframeRequest

NOT_FETCHED = "This server fetches nothing: send the image itself, in base64 or as a data: URL"


@dataclass(frozen=True)
class ResolvedImage:
    """The bytes of an image file, not checked yet.

    loc: the path of its base64 in the body. field: the same with documented names, as adjustments show it.
    """

    data: bytes = dataclass_field(repr=False)
    frame_idx: int
    strength: float
    crf: int
    loc: Loc
    field: str


def resolve_images(
    request: GenerateRequest, sent: SentRequest, timing: Timing, report: Report
) -> tuple[ResolvedImage, ...]:
    """Return the images, sorted by frame."""
    if request.keyframes is None:
        return () if request.input_image_b64 is None else (decode_input_image(request.input_image_b64, sent),)
    if request.input_image_b64 is not None:
        report.add("input_image_b64", None, "keyframes win over a single image")
    frames = _frames(request.keyframes, sent, timing, report)
    images = _decode_all(request.keyframes, frames, sent)
    return tuple(sorted(images, key=lambda image: image.frame_idx))


def decode_keyframe(keyframe: KeyframeRequest, frame_idx: int, path: Loc, sent: SentRequest) -> ResolvedImage:
    """Return the image of a keyframe for a frame of the clip. Raises RequestInvalid.

    path: the image's, with documented names.
    """
    loc = sent.as_sent(path)
    if is_url(keyframe.image_b64):
        raise RequestInvalid.at(loc, NOT_FETCHED, "image_not_fetched")
    try:
        data = decode_base64_file(keyframe.image_b64, IMAGE)
    except ValueError as exc:
        raise RequestInvalid.at(loc, str(exc), "image_invalid") from exc
    return ResolvedImage(data, frame_idx, keyframe.strength, keyframe.crf, loc, dotted(path))


def decode_input_image(image_b64: str, sent: SentRequest) -> ResolvedImage:
    """Return the image of `input_image_b64`, which is shown at frame 0. Raises RequestInvalid."""
    return decode_keyframe(KeyframeRequest(image_b64=image_b64, frame_idx=0), 0, ("input_image_b64",), sent)


def report_crops(
    images: Sequence[ResolvedImage], pictures: Sequence[Size], clip: Size, *, strict: bool
) -> tuple[Adjustment, ...]:
    """Report images that are cropped by more than the rounding of the clip's size. Raises RequestInvalid if strict."""
    found = [
        (image, Adjustment(image.field, f"{picture} pixels", f"{crop.shown} pixels", str(crop)))
        for image, picture in zip(images, pictures, strict=True)
        if (crop := Crop(picture, clip)).is_reported
    ]
    if found and strict:
        raise RequestInvalid([adjustment.refusal(image.loc) for image, adjustment in found])
    return tuple(adjustment for _, adjustment in found)


def _frames(keyframes: Sequence[KeyframeRequest], sent: SentRequest, timing: Timing, report: Report) -> list[int]:
    asked = [keyframe.frame_idx for keyframe in keyframes]
    if sent.single_image:
        frames, reason = [0], "a single image is shown at frame 0"
    else:
        with relocated(sent.as_sent):
            frames = place_keyframes(asked, timing)
        reason = f"it moved with the end of the clip, which has {timing.num_frames} frames"
    for i, (frame, used) in enumerate(zip(asked, frames, strict=True)):
        if used != frame and (frame != LAST_FRAME or sent.single_image):
            path = ("keyframes", i, "frame_idx")
            report.add(dotted(path), used, reason, path=path)
    return frames


def _decode_all(
    keyframes: Sequence[KeyframeRequest], frames: Sequence[int], sent: SentRequest
) -> tuple[ResolvedImage, ...]:
    images: list[ResolvedImage] = []
    errors: list[FieldError] = []
    for i, (keyframe, frame_idx) in enumerate(zip(keyframes, frames, strict=True)):
        try:
            images.append(decode_keyframe(keyframe, frame_idx, ("keyframes", i, "image_b64"), sent))
        except RequestInvalid as exc:
            errors.extend(exc.errors)
    if errors:
        raise RequestInvalid(errors)
    return tuple(images)
