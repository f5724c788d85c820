"""Read a video that a clip is made from: its facts, its frames at a constant rate, and its sound.

FFmpeg is never left to guess a format: some of its demuxers open other files that a playlist names.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray

from pipelines.errors import SoundError, VideoError
from pipelines.geometry import clamp_frame_rate, exact_frame_rate
from pipelines.media.codecs import PIXEL_FORMAT
from pipelines.media.container_size import missing_bytes
from pipelines.media.image_crop import Size
from pipelines.media.sound import Waveform, read_track
from pipelines.media.source_info import SourceInfo
from pipelines.media.source_limits import MAX_FRAME_RATE, MAX_SECONDS, MAX_SIDE, MIN_SIDE, SUGGESTED
from pipelines.spec import GenerationSpec

REMEDY = f"send an {SUGGESTED}"
VIDEO_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "libvpx-vp9", "mpeg4"})
AUDIO_CODECS = frozenset({"aac", "mp3", "mp3float", "opus", "libopus", "vorbis", "flac", "alac", "pcm_s16le"})

# A demuxer for the first bytes of a file, at their offset.
_SIGNATURES = {(4, b"ftyp"): "mov", (0, b"\x1a\x45\xdf\xa3"): "matroska"}

_HDR = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
_SCALING = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def inspect_source(path: Path, decode: bool = True) -> SourceInfo:
    """Return what a video holds; with `decode`, once every frame of it was read. Raises VideoError."""
    missing = _missing_bytes(path)
    if missing:
        raise VideoError(f"it was cut short: {missing} bytes or more are missing; send it complete")
    with _opened(path) as (container, stream):
        times = _frame_times(container, stream)
        container.seek(0)
        first = next(container.decode(stream), None)
        if first is None:
            raise VideoError(f"it has no frame that can be read: {REMEDY}")
        _validate_color(first)
        size = _shown_size(first)
        sounds = container.streams.audio
        has_sound = bool(sounds) and _validated_sound(sounds[0])
    stored_rate = stream.average_rate or _average_rate(times)
    rate = clamp_frame_rate(exact_frame_rate(round(float(stored_rate), 3)))
    num_frames = max(1, round((times[-1] - times[0] + _usual_step(times, rate)) * rate))
    info = SourceInfo(size.width, size.height, num_frames, rate, stored_rate, has_sound)
    if decode:
        for _ in read_frames(path, info):
            pass
        read_source_sound(path)
    return info


def read_frames(path: Path, info: SourceInfo, size: Size | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield `num_frames` frames at the constant rate, as they are shown, scaled to cover `size` and cropped.

    A frame is (H, W, 3) RGB; or (3 H / 2, W) yuv420p if it is stored so, in limited-range BT.709 and at this size: then
    what is written again loses nothing in between. Raises VideoError.
    """
    size = size or Size(info.width, info.height)
    shown = 0
    with _opened(path) as (container, stream):
        last: av.VideoFrame | None = None
        pixels: NDArray[np.uint8] | None = None
        start_s = Fraction(0)
        for frame in container.decode(stream):
            time_s = frame.pts * frame.time_base
            if last is None:
                start_s = time_s
            # A frame is shown until the next one is nearer.
            while last is not None and shown < info.num_frames and _middle_s(shown, info) <= time_s - start_s:
                pixels = _pixels(last, size) if pixels is None else pixels
                yield pixels
                shown += 1
            last, pixels = frame, None
        if last is None:
            raise VideoError(f"it has no frame that can be read: {REMEDY}")
        pixels = _pixels(last, size)
        for _ in range(info.num_frames - shown):
            yield pixels


def source_info(spec: GenerationSpec) -> SourceInfo:
    """Return the facts of the source of `spec`, with the size of the clip, which its frames are scaled to."""
    assert spec.source is not None
    return SourceInfo(spec.width, spec.height, spec.source.clip_frames, spec.frame_rate, spec.frame_rate)


def read_source_sound(path: Path, from_zero: bool = False) -> Waveform | None:
    """Return the first sound track in stereo, None if there is none. Raises VideoError.

    from_zero: start with the packet at 0 s, as the reference does, without those that prime the decoder: the first
    20 ms of AAC come out wrong, and the latents of the first 200 ms differ by up to 24 %.
    """
    with _opened(path) as (container, _):
        if not container.streams.audio:
            return None
        if from_zero:
            container.seek(0, stream=container.streams.audio[0])
        try:
            return read_track(container, container.streams.audio[0], Fraction(0))
        except SoundError as exc:
            raise VideoError(f"its sound cannot be used: {exc}") from exc


def to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame of `read_frames` as (H, W, 3) RGB."""
    if pixels.ndim == 3:
        return pixels
    frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(pixels), format=PIXEL_FORMAT)
    frame.colorspace, frame.color_range = Colorspace.ITU709, ColorRange.MPEG
    rgb: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    return rgb


def _middle_s(index: int, info: SourceInfo) -> Fraction:
    return (index + Fraction(1, 2)) / info.frame_rate


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video that is within the limits, as its header says, and yield it and its picture. Raises VideoError."""
    demuxer = _demuxer(path)
    codecs = ",".join(sorted(VIDEO_CODECS | AUDIO_CODECS))
    options = {"protocol_whitelist": "file", "format_whitelist": demuxer, "codec_whitelist": codecs}
    with _translated_errors():
        container = av.open(str(path.absolute()), format=demuxer, options=options)
        with container:
            if not container.streams.video:
                raise VideoError(f"it has no picture: {REMEDY}")
            stream = container.streams.video[0]
            _validate_header(stream)
            stream.thread_type = "AUTO"
            yield container, stream


def _missing_bytes(path: Path) -> int:
    demuxer = _demuxer(path)
    with _translated_errors():
        return missing_bytes(path, demuxer)


def _demuxer(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as exc:
        raise VideoError(f"it cannot be read: {exc.strerror}") from exc
    if not start:
        raise VideoError(f"it is empty: {REMEDY}")
    for (offset, signature), demuxer in _SIGNATURES.items():
        if start[offset:].startswith(signature):
            return demuxer
    raise VideoError(f"it is not a video of a known format: {REMEDY}")


def _validate_header(stream: Any) -> None:
    context = stream.codec_context
    if context is None or context.name not in VIDEO_CODECS:
        codec = "an unknown codec" if context is None else f"codec {context.name}"
        raise VideoError(f"its picture has {codec}: send H.264, HEVC, VP8, VP9, AV1 or MPEG-4")
    if not (MIN_SIDE <= context.width <= MAX_SIDE and MIN_SIDE <= context.height <= MAX_SIDE):
        raise VideoError(
            f"it is {context.width}x{context.height}: each side should have {MIN_SIDE} to {MAX_SIDE} pixels"
        )
    if stream.duration is not None and stream.duration * stream.time_base > MAX_SECONDS:
        raise _too_long()


def _validated_sound(stream: Any) -> bool:
    context = stream.codec_context
    if context is None or context.name not in AUDIO_CODECS:
        codec = "an unknown codec" if context is None else f"codec {context.name}"
        raise VideoError(f"its sound has {codec}: send AAC, MP3, Opus, Vorbis or FLAC")
    return True


def _validate_color(frame: av.VideoFrame) -> None:
    if frame.color_trc in _HDR:
        raise VideoError("it is HDR (PQ or HLG): convert it to SDR")


def _too_long() -> VideoError:
    return VideoError(f"it is longer than {MAX_SECONDS} s: cut it")


def _frame_times(container: Any, stream: Any) -> list[Fraction]:
    """Return when each frame is shown, in seconds, from the packets alone."""
    times = []
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        times.append(packet.pts * packet.time_base)
        if times[-1] - times[0] > MAX_SECONDS:
            raise _too_long()
        if len(times) > MAX_SECONDS * MAX_FRAME_RATE:
            raise VideoError(f"it has more than {MAX_FRAME_RATE} frames a second")
    if not times:
        raise VideoError(f"it has no frames: {REMEDY}")
    return sorted(times)


def _average_rate(times: list[Fraction]) -> Fraction:
    return (len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else Fraction(24)


def _usual_step(times: list[Fraction], rate: Fraction) -> Fraction:
    """Return how long the last frame is shown."""
    steps = sorted(after - before for before, after in pairwise(times))
    return steps[len(steps) // 2] if steps else 1 / rate


def _shown_size(frame: av.VideoFrame) -> Size:
    size = Size(frame.width, frame.height)
    return Size(size.height, size.width) if frame.rotation % 180 else size


def _pixels(frame: av.VideoFrame, size: Size) -> NDArray[np.uint8]:
    """Return a frame turned as it is shown, scaled to cover `size`, and cropped to its centre."""
    if frame.is_corrupt:
        raise VideoError("a frame of it is damaged: send it complete")
    pixels: NDArray[np.uint8]
    if _is_kept(frame, size):
        pixels = frame.to_ndarray()
        return pixels
    turned = Size(size.height, size.width) if frame.rotation % 180 else size
    scale = max(Fraction(turned.width, frame.width), Fraction(turned.height, frame.height))
    width, height = round(frame.width * scale), round(frame.height * scale)
    scaled = frame.reformat(width, height, format="rgb24", interpolation=_SCALING) if scale != 1 else frame
    pixels = scaled.to_ndarray(format="rgb24")
    top, left = (height - turned.height) // 2, (width - turned.width) // 2
    cropped = pixels[top : top + turned.height, left : left + turned.width]
    return np.ascontiguousarray(np.rot90(cropped, frame.rotation // 90))


def _is_kept(frame: av.VideoFrame, size: Size) -> bool:
    return (
        frame.format.name == PIXEL_FORMAT
        and (frame.width, frame.height) == (size.width, size.height)
        and frame.rotation == 0
        and frame.colorspace == Colorspace.ITU709
        and frame.color_range == ColorRange.MPEG
    )


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except VideoError:
        raise
    except (av.FFmpegError, OSError, ValueError) as exc:
        raise VideoError(f"it is damaged or cut short: send it complete; {REMEDY}") from exc
