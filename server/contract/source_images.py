"""Place the images of a clip that is made from another one: where frames are rendered, at frames of the file."""

from pipelines.spec import Misplaced, misplaced_keyframes
from server.contract.adjustments import Report
from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.images import ResolvedImage, decode_keyframe
from server.contract.keyframes import REPEATED
from server.contract.names.sent import SentRequest
from server.contract.scalars import LAST_FRAME
from server.contract.source import ClipShape
from server.contract.wire import GenerateRequest, KeyframeRequest


def resolve_source_images(
    request: GenerateRequest, sent: SentRequest, shape: ClipShape, report: Report
) -> tuple[ResolvedImage, ...]:
    """Return the images, sorted by frame. Raises RequestInvalid for one outside of what is rendered.

    A single image is the first frame of the file, which only a retake of the beginning renders.
    """
    entries: list[tuple[Loc, Loc, KeyframeRequest]] = []
    if request.keyframes is not None:
        for i, keyframe in enumerate(request.keyframes):
            entries.append((("keyframes", i, "image_b64"), ("keyframes", i, "frame_idx"), keyframe))
        if request.input_image_b64 is not None:
            report.add("input_image_b64", None, "keyframes win over a single image")
    elif request.input_image_b64 is not None:
        path = ("input_image_b64",)
        entries.append((path, path, KeyframeRequest(image_b64=request.input_image_b64, frame_idx=0)))
    frames = [_frame(keyframe.frame_idx, shape) for _, _, keyframe in entries]
    errors = [
        FieldError(sent.as_sent(path), _outside(shape), "frame_not_rendered")
        for (_, path, _), frame in zip(entries, frames, strict=True)
        if frame not in shape.images
    ]
    errors += [
        FieldError(sent.as_sent(entries[i][1]), REPEATED, fault.value)
        for i, fault in misplaced_keyframes(frames, shape.images.stop)
        if fault is Misplaced.REPEATED
    ]
    if errors:
        raise RequestInvalid(errors)
    found = (
        decode_keyframe(keyframe, frame, image, sent)
        for (image, _, keyframe), frame in zip(entries, frames, strict=True)
    )
    return tuple(sorted(found, key=lambda image: image.frame_idx))


def _frame(frame_idx: int, shape: ClipShape) -> int:
    """Return the frame of what is rendered, for a frame of the file, or -1 for its last."""
    return shape.file_frames - 1 - shape.first_frame if frame_idx == LAST_FRAME else frame_idx - shape.first_frame


def _outside(shape: ClipShape) -> str:
    if not shape.images:
        return "No frame is rendered that could show an image: the picture is kept"
    first, last = shape.images.start + shape.first_frame, shape.images.stop - 1 + shape.first_frame
    return f"Should be {first} .. {last}: only these frames are rendered"
