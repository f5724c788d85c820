"""Resolve the number of frames and the frame rate from any of num_frames, duration and fps."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from pipelines.geometry import (
    MAX_FRAME_RATE,
    MIN_FRAME_RATE,
    clamp_frame_rate,
    exact_frame_rate,
    max_duration_s,
    max_num_frames,
    snap_num_frames,
)
from pipelines.memory import DEFAULT_CLIP
from server.contract.adjustments import Report
from server.contract.wire import GenerateRequest


@dataclass(frozen=True)
class Timing:
    """The number of frames of a clip, and their rate.

    asked_last: the frames that count as the last one requested, before snapping and capping. For 100 frames that is
    frame 99; for 5 s at 24 fps it is 119, the last that begins within them, and 120, the one at 5 s.
    """

    num_frames: int
    frame_rate: Fraction
    asked_last: range

    @property
    def duration_s(self) -> Fraction:
        return self.num_frames / self.frame_rate


def resolve_timing(
    request: GenerateRequest, width: int, height: int, report: Report, sound_s: Fraction | None = None
) -> Timing:
    """sound_s: the length of the sound that drives the clip, which is as long if nothing else says how long it is."""
    rate = clamp_frame_rate(_wanted_rate(request))
    seconds = _exact(request.duration) if request.duration else sound_s
    wanted = _wanted_frames(request, rate, seconds)
    num_frames = min(wanted, max_num_frames(width, height, rate))
    timing = Timing(num_frames, rate, _asked_last(request, rate, seconds))
    reason = describe_cap(timing, width, height) if timing.num_frames < wanted else f"the nearest 8k + 1 is {wanted}"
    _report_rate(request, report)
    if request.num_frames is not None:
        if timing.num_frames != request.num_frames:
            report.add("num_frames", timing.num_frames, reason)
        _report_duration(request, wanted, timing, report)
    elif timing.num_frames < wanted and request.duration:
        report.add("duration", _seconds(timing), reason)
    elif timing.num_frames < wanted and sound_s is None:
        report.add("num_frames", timing.num_frames, reason)
    return timing


def describe_cap(timing: Timing, width: int, height: int) -> str:
    """Return why a clip of this size is no longer."""
    return f"at most {max_duration_s(width, height)} s at {width}x{height}: {_words(timing)}"


def _exact(seconds: float) -> Fraction:
    return Fraction(str(seconds))


def _wanted_rate(request: GenerateRequest) -> Fraction:
    if request.fps is not None:
        return exact_frame_rate(request.fps)
    if request.num_frames is None or not request.duration:
        return DEFAULT_CLIP.frame_rate
    return snap_num_frames(request.num_frames) / _exact(request.duration)


def _wanted_frames(request: GenerateRequest, rate: Fraction, seconds: Fraction | None) -> int:
    if request.num_frames is not None:
        return snap_num_frames(request.num_frames)
    if seconds is not None:
        return snap_num_frames(seconds * rate)
    return DEFAULT_CLIP.num_frames


def _asked_last(request: GenerateRequest, rate: Fraction, seconds: Fraction | None) -> range:
    if request.num_frames is None and seconds is not None:
        asked_rate = exact_frame_rate(request.fps) if request.fps is not None and request.fps > 0 else rate
        frames = seconds * asked_rate
        return range(ceil(frames) - 1, floor(frames) + 1)
    asked = request.num_frames or DEFAULT_CLIP.num_frames
    return range(asked - 1, asked)


def _report_rate(request: GenerateRequest, report: Report) -> None:
    if request.fps is None:
        return
    rate = exact_frame_rate(request.fps)
    used = min(max(rate, MIN_FRAME_RATE), MAX_FRAME_RATE)
    if used != rate:
        report.add("fps", int(used), f"fps is kept within {MIN_FRAME_RATE} .. {MAX_FRAME_RATE}")


def _report_duration(request: GenerateRequest, wanted: int, timing: Timing, report: Report) -> None:
    if not request.duration or snap_num_frames(_exact(request.duration) * timing.frame_rate) == wanted:
        return
    derived = f"a derived fps is kept within {MIN_FRAME_RATE} .. {MAX_FRAME_RATE}"
    reason = derived if request.fps is None else "num_frames and fps win over duration"
    report.add("duration", _seconds(timing), f"{reason}: {_words(timing)}")


def _seconds(timing: Timing) -> float:
    return round(float(timing.duration_s), 3)


def _words(timing: Timing) -> str:
    return f"{timing.num_frames} frames at {float(timing.frame_rate):g} fps"
