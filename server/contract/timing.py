"""Frames and frame rate, from any of num_frames, frames, duration and fps."""

from dataclasses import dataclass
from fractions import Fraction

from pipelines.geometry import (
    MAX_FRAME_RATE,
    MIN_FRAME_RATE,
    clamp_frame_rate,
    exact_frame_rate,
    max_duration_s,
    max_num_frames,
    snap_num_frames,
)
from server.contract.report import Report
from server.contract.wire import GenerateRequest

DEFAULT_FRAME_RATE = Fraction(24)
DEFAULT_NUM_FRAMES = 121


@dataclass(frozen=True)
class Timing:
    num_frames: int
    frame_rate: Fraction

    @property
    def duration_s(self) -> Fraction:
        return self.num_frames / self.frame_rate


def resolve_timing(request: GenerateRequest, width: int, height: int, report: Report) -> Timing:
    rate = clamp_frame_rate(_wanted_rate(request))
    wanted = _wanted_frames(request, rate)
    timing = Timing(min(wanted, max_num_frames(width, height, rate)), rate)
    cap = f"at most {max_duration_s(width, height)} s at {width}x{height}: {_words(timing)}"
    reason = cap if timing.num_frames < wanted else f"the nearest 8k + 1 is {wanted}"
    _report_rate(request, report)
    if _frames_sent(request) is not None:
        _report_frames(request, timing, reason, report)
        _report_duration(request, wanted, timing, report)
    elif timing.num_frames < wanted and request.duration is not None:
        report.add("duration", _seconds(timing), reason)
    elif timing.num_frames < wanted:
        report.add("num_frames", timing.num_frames, reason)
    return timing


def _frames_sent(request: GenerateRequest) -> int | None:
    return request.frames if request.num_frames is None else request.num_frames


def _exact(seconds: float) -> Fraction:
    return Fraction(str(seconds))


def _wanted_rate(request: GenerateRequest) -> Fraction:
    frames = _frames_sent(request)
    if request.fps is not None:
        return exact_frame_rate(request.fps)
    if frames is None or request.duration is None:
        return DEFAULT_FRAME_RATE
    if request.duration == 0:
        return MAX_FRAME_RATE
    return snap_num_frames(frames) / _exact(request.duration)


def _wanted_frames(request: GenerateRequest, rate: Fraction) -> int:
    frames = _frames_sent(request)
    if frames is not None:
        return snap_num_frames(frames)
    if request.duration is not None:
        return snap_num_frames(_exact(request.duration) * rate)
    return DEFAULT_NUM_FRAMES


def _report_rate(request: GenerateRequest, report: Report) -> None:
    if request.fps is None:
        return
    rate = exact_frame_rate(request.fps)
    used = min(max(rate, MIN_FRAME_RATE), MAX_FRAME_RATE)
    if used != rate:
        report.add("fps", int(used), f"fps is kept within {MIN_FRAME_RATE} .. {MAX_FRAME_RATE}")


def _report_frames(request: GenerateRequest, timing: Timing, reason: str, report: Report) -> None:
    if timing.num_frames != _frames_sent(request):
        path = ("frames",) if request.num_frames is None else ("num_frames",)
        report.add("num_frames", timing.num_frames, reason, path=path)
    if None not in (request.num_frames, request.frames) and request.num_frames != request.frames:
        report.add("frames", timing.num_frames, "num_frames wins over frames")


def _report_duration(request: GenerateRequest, wanted: int, timing: Timing, report: Report) -> None:
    if request.duration is None or snap_num_frames(_exact(request.duration) * timing.frame_rate) == wanted:
        return
    derived = f"a derived fps is kept within {MIN_FRAME_RATE} .. {MAX_FRAME_RATE}"
    reason = derived if request.fps is None else "num_frames and fps win over duration"
    report.add("duration", _seconds(timing), f"{reason}: {_words(timing)}")


def _seconds(timing: Timing) -> float:
    return round(float(timing.duration_s), 3)


def _words(timing: Timing) -> str:
    return f"{timing.num_frames} frames at {float(timing.frame_rate):g} fps"
