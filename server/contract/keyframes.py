"""Place keyframes: check them against the requested clip, and move them if the clip ends elsewhere.

A clip is snapped to 8k + 1 frames and capped. When it grows, a keyframe on the last requested frame moves to the new
last frame, unless another keyframe is there. When it shrinks, the keyframe furthest beyond the end moves to the new
last frame, and those before it make room, each by at most 8 frames.
"""

from collections.abc import Iterator, Sequence

from pipelines.spec import Misplaced, misplaced_keyframes
from server.contract.errors import FieldError, Loc, RequestInvalid
from server.contract.scalars import LAST_FRAME
from server.contract.timing import Timing

MAX_SHIFT = 8

LAST_ALONE = "A last frame needs a first one: add a keyframe with frame_idx 0"
TOO_FEW = "Two or more keyframes are needed; a single image goes to input_image_b64"
FIRST_MISSING = "One of the keyframes should have frame_idx 0"
REPEATED = "An earlier keyframe has this frame; each needs its own"


def place_keyframes(sent: Sequence[int], timing: Timing) -> list[int]:
    """Return the frame of each keyframe in the clip. Raises RequestInvalid with documented names.

    sent: the requested frames, -1 for the last.
    """
    end = max(timing.num_frames, timing.asked_last.stop) - 1
    frames = [end if frame == LAST_FRAME else frame for frame in sent]
    errors = list(_errors(frames, end))
    if errors:
        raise RequestInvalid(errors)
    return _moved_with_the_end(frames, timing)


def _errors(frames: Sequence[int], end: int) -> Iterator[FieldError]:
    if len(frames) == 1:
        yield FieldError(("keyframes",), TOO_FEW if frames == [0] else LAST_ALONE, "too_short")
    elif 0 not in frames:
        yield FieldError(("keyframes",), FIRST_MISSING, "first_frame_missing")
    too_late = f"Input should be 0 .. {end}, or {LAST_FRAME} for the last: the clip has {end + 1} frames"
    messages = {Misplaced.OUT_OF_RANGE: too_late, Misplaced.REPEATED: REPEATED}
    for i, fault in misplaced_keyframes(frames, end + 1):
        yield FieldError(_loc(i), messages[fault], fault.value)


def _moved_with_the_end(frames: Sequence[int], timing: Timing) -> list[int]:
    end, last = timing.num_frames - 1, max(frames)
    if 0 < last < end and last in timing.asked_last:
        return [end if frame == last else frame for frame in frames]
    places: dict[int, int] = {}
    free = end
    for frame in sorted(frames, reverse=True):
        places[frame] = min(frame, free)
        free = places[frame] - 1
    errors = [
        FieldError(_loc(i), _no_room(timing), Misplaced.OUT_OF_RANGE.value)
        for i, f in enumerate(frames)
        if _is_lost(f, places[f], last)
    ]
    if errors:
        raise RequestInvalid(errors)
    return [places[frame] for frame in frames]


def _is_lost(frame: int, place: int, last: int) -> bool:
    """Return whether a keyframe would share a frame, or end up too far from the requested one."""
    return (frame > 0 and place < 1) or place < 0 or (frame != last and frame - place > MAX_SHIFT)


def _no_room(timing: Timing) -> str:
    return f"The clip has {timing.num_frames} frames, and another keyframe is at its end"


def _loc(i: int) -> Loc:
    return ("keyframes", i, "frame_idx")
