"""Decide whether a clip is rendered with frames beyond its end, which are cut off."""

from collections.abc import Sequence

from pipelines.geometry import max_num_frames
from pipelines.spec import TAIL_GUARD_FRAMES
from server.contract.adjustments import Adjustment, Report
from server.contract.errors import RequestInvalid
from server.contract.images import ResolvedImage
from server.contract.names.sent import SentRequest
from server.contract.source import ClipShape
from server.contract.wire import GenerateRequest

NOT_WITH_SOURCE = "Should be off or auto where a clip is retaken or continued"


def resolve_tail_guard(
    request: GenerateRequest, sent: SentRequest, shape: ClipShape, images: Sequence[ResolvedImage], report: Report
) -> bool:
    """Return whether the clip is guarded: if asked, or with `auto` if an image is at its last frame.

    Limits apply to what is rendered. Where it has no room, `auto` is off, and reported. Raises RequestInvalid.
    """
    is_asked = request.tail_guard == "on"
    loc = sent.as_sent(("tail_guard",))
    if shape.source is not None:
        if is_asked:
            raise RequestInvalid.at(loc, NOT_WITH_SOURCE, "tail_guard_unused")
        return False
    if not is_asked and (request.tail_guard != "auto" or not _has_image_at_end(shape, images)):
        return False
    longest = max_num_frames(shape.width, shape.height, shape.frame_rate)
    if shape.num_frames + TAIL_GUARD_FRAMES <= longest:
        return True
    limit = f"at {shape.width}x{shape.height} at most {longest} frames are rendered"
    if is_asked:
        asked = f"ask for {longest - TAIL_GUARD_FRAMES} frames or fewer"
        raise RequestInvalid.at(loc, f"There is no room for {TAIL_GUARD_FRAMES} more: {limit}; {asked}", "too_long")
    report.add("tail_guard", "off", f"there is no room for {TAIL_GUARD_FRAMES} more: {limit}")
    return False


def note_tail_guard(mode: str | None, shape: ClipShape) -> Adjustment:
    """Return what the answer says of a guarded clip. It was asked for, so strict handling does not refuse it."""
    rendered = shape.num_frames + TAIL_GUARD_FRAMES
    return Adjustment(
        "tail_guard", mode, "on", f"{rendered} frames are rendered, and the last {TAIL_GUARD_FRAMES} are cut off"
    )


def _has_image_at_end(shape: ClipShape, images: Sequence[ResolvedImage]) -> bool:
    return any(image.frame_idx == shape.num_frames - 1 for image in images)
