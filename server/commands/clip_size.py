"""Read the size and the length of a clip from a command's options. What is left out follows the clip's source."""

import argparse
import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path

from pipelines.direction import Continuation, Retake, Source
from pipelines.errors import SpecError, VideoError
from pipelines.geometry import TEMPORAL_COMPRESSION, exact_frame_rate, snap_num_frames, sound_num_frames
from pipelines.media.source_info import SourceInfo
from pipelines.memory import DEFAULT_CLIP
from pipelines.spec import SIZE_MULTIPLE

# Parsed from the right because a path may contain colons.
RETAKE = re.compile(r"(?P<path>.+):(?P<start_s>\d*\.?\d+):(?P<end_s>\d*\.?\d+)")
CONTINUATION = re.compile(r"(?P<path>.+?)(:(?P<context_frames>\d+))?")


@dataclass(frozen=True)
class ClipSizeOptions:
    """The values of the options; None where one is left out.

    num_frames, duration: one of them at most. retake: CLIP:START:END. retake_keep: what stays, video or audio.
    continue_from: CLIP[:FRAMES]. sound_s: what is left of the sound that drives the clip.
    """

    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    duration: float | None = None
    fps: str | None = None
    retake: str | None = None
    retake_keep: str | None = None
    continue_from: str | None = None
    sound_s: Fraction | None = None


@dataclass(frozen=True)
class ClipShape:
    """first_frame: the frame of the file that is the first one rendered. file_frames: those of the file."""

    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    source: Source | None = None
    first_frame: int = 0
    file_frames: int = 0


def add_source_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--retake", metavar="CLIP:START:END", help="render these seconds of a clip anew; the rest of it stays"
    )
    parser.add_argument("--retake-keep", choices=("video", "audio"), help="what stays in these seconds, too")
    parser.add_argument(
        "--continue-from",
        metavar="CLIP:FRAMES",
        help="render what follows a clip, from its last FRAMES (9; 8k + 1), and write both",
    )


def read_clip_shape(options: ClipSizeOptions) -> ClipShape:
    """Return the shape without rounding what is given. Raises SpecError."""
    if options.num_frames is not None and options.duration is not None:
        raise SpecError("duration", "cannot be given beside --num-frames")
    if options.duration is not None and not (isfinite(options.duration) and options.duration > 0):
        raise SpecError("duration", f"should be a number of seconds above 0, got {options.duration:g}")
    rate = None if options.fps is None else parse_frame_rate(options.fps)
    if options.retake is not None and options.continue_from is not None:
        raise SpecError("continue-from", "cannot be given beside --retake")
    if options.retake_keep is not None and options.retake is None:
        raise SpecError("retake-keep", "needs --retake")
    if options.retake is not None:
        return _retaken(options, options.retake, rate)
    if options.continue_from is not None:
        return _continued(options, options.continue_from, rate)
    rate = DEFAULT_CLIP.frame_rate if rate is None else rate
    width = DEFAULT_CLIP.width if options.width is None else options.width
    height = DEFAULT_CLIP.height if options.height is None else options.height
    num_frames = _num_frames(options, width, height, rate)
    return ClipShape(width, height, num_frames, rate, file_frames=num_frames)


def parse_frame_rate(text: str) -> Fraction:
    try:
        return Fraction(text) if "/" in text else exact_frame_rate(float(text))
    except (ValueError, ZeroDivisionError, OverflowError) as exc:
        raise SpecError("fps", f"should be a rate such as 24, 23.976 or 30000/1001, got {text!r}") from exc


def _retaken(options: ClipSizeOptions, text: str, rate: Fraction | None) -> ClipShape:
    match = RETAKE.fullmatch(text)
    if match is None:
        raise SpecError("retake", f"should be CLIP:START:END in seconds, got {text!r}")
    if options.duration is not None:
        raise SpecError("duration", "cannot be given beside --retake: the clip keeps its length")
    info, path = _inspect("retake", match["path"], rate)
    kept = options.retake_keep
    if kept == "audio" and not info.has_sound:
        raise SpecError("retake-keep", f"{path} has no sound that could be kept")
    retake = Retake(
        path, info.num_frames, float(match["start_s"]), float(match["end_s"]), kept != "video", kept != "audio"
    )
    return _shape(options, info, retake.num_frames if options.num_frames is None else options.num_frames, retake)


def _continued(options: ClipSizeOptions, text: str, rate: Fraction | None) -> ClipShape:
    match = CONTINUATION.fullmatch(text)
    assert match is not None
    info, path = _inspect("continue-from", match["path"], rate)
    default = Continuation.context_frames
    continuation = Continuation(path, info.num_frames, int(match["context_frames"] or default))
    if options.duration is None:
        num_frames = DEFAULT_CLIP.num_frames if options.num_frames is None else options.num_frames
    else:
        steps = max(round(Fraction(str(options.duration)) * info.frame_rate / TEMPORAL_COMPRESSION), 1)
        num_frames = continuation.context_frames + steps * TEMPORAL_COMPRESSION
    return _shape(options, info, num_frames, continuation)


def _shape(options: ClipSizeOptions, info: SourceInfo, num_frames: int, source: Source) -> ClipShape:
    """Return the clip's own size, or the nearest one."""
    width, height = _nearest(info.width), _nearest(info.height)
    for name, given, own in (("width", options.width, width), ("height", options.height, height)):
        if given not in (None, own):
            raise SpecError(name, f"must be {own}, as the clip that is retaken or continued, or left out, got {given}")
    if (width, height) != (info.width, info.height):
        scaled = f"scaled from {info.width}x{info.height} to {width}x{height}"
        print(f"ltx23: note: {source.path}: {scaled}", file=sys.stderr)
    first_frame = source.first_frame if isinstance(source, Continuation) else 0
    file_frames = source.clip_frames if isinstance(source, Retake) else first_frame + num_frames
    return ClipShape(width, height, num_frames, info.frame_rate, source, first_frame, file_frames)


def _inspect(option: str, text: str, rate: Fraction | None) -> tuple[SourceInfo, Path]:
    # PyAV, which the server's process does without.
    from pipelines.media.source_video import inspect_source

    path = Path(text)
    try:
        info = inspect_source(path)
    except VideoError as exc:
        raise SpecError(option, f"{path}: {exc}") from exc
    return (info if rate is None else info.at_rate(rate)), path


def _num_frames(options: ClipSizeOptions, width: int, height: int, rate: Fraction) -> int:
    """Return the number that is given, or lasts about `duration`; else as long as the sound, or the default."""
    if options.num_frames is not None:
        return options.num_frames
    if options.duration is not None:
        return snap_num_frames(Fraction(str(options.duration)) * rate)
    if options.sound_s is not None:
        return sound_num_frames(options.sound_s, width, height, rate)
    return DEFAULT_CLIP.num_frames


def _nearest(side: int) -> int:
    return max(round(side / SIZE_MULTIPLE), 1) * SIZE_MULTIPLE
