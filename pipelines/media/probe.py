"""Inspect a clip on disk: count its packets and decode its sound rather than trust its headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipelines.errors import MuxError
from pipelines.media.codecs import CHANNELS, FORMATS, PIXEL_FORMAT, SAMPLE_RATE
from pipelines.spec import Container, GenerationSpec

# Sound and picture start together within this.
MAX_START_OFFSET_S = Fraction(1, 1000)


@dataclass(frozen=True)
class AudioInfo:
    codec: str
    sample_rate: int
    channels: int
    start_s: Fraction
    end_s: Fraction


@dataclass(frozen=True)
class ClipInfo:
    container: Container
    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    video_codec: str
    pixel_format: str
    video_start_s: Fraction
    video_end_s: Fraction
    audio: AudioInfo | None

    @property
    def has_audio(self) -> bool:
        return self.audio is not None

    @property
    def duration_s(self) -> Fraction:
        return self.video_end_s - self.video_start_s


def probe(path: Path) -> ClipInfo:
    """Inspect `path`. Raises MuxError if it is not a clip."""
    with _translated_errors(path), av.open(str(path.absolute())) as source:
        container = _container(source.format.name, path)
        if not source.streams.video or not source.streams.video[0].average_rate:
            raise MuxError(f"{path.name} has no moving picture")
        return _inspect(source, container)


def verify_clip(path: Path, spec: GenerationSpec) -> ClipInfo:
    """Compare the file with `spec`. Raises MuxError that names every difference."""
    info = probe(path)
    differences = [*_picture_differences(info, spec), *_sound_differences(info, spec)]
    if differences:
        raise MuxError(f"{path.name} is not what was asked for: {'; '.join(differences)}")
    return info


@dataclass
class _Span:
    """The time that the packets of one stream cover."""

    packets: int = 0
    start_s: Fraction = Fraction(0)
    end_s: Fraction = Fraction(0)

    def add(self, start_s: Fraction, end_s: Fraction) -> None:
        self.start_s = min(self.start_s, start_s) if self.packets else start_s
        self.end_s = max(self.end_s, end_s) if self.packets else end_s
        self.packets += 1


def _inspect(source: Any, container: Container) -> ClipInfo:
    video = source.streams.video[0]
    picture, sound = _spans(source, 1 / video.average_rate)
    return ClipInfo(
        container=container,
        width=video.codec_context.width,
        height=video.codec_context.height,
        num_frames=picture.packets,
        frame_rate=video.average_rate,
        video_codec=video.codec_context.name,
        pixel_format=video.codec_context.pix_fmt,
        video_start_s=picture.start_s,
        video_end_s=picture.end_s,
        audio=_audio_info(source.streams.audio[0], sound) if source.streams.audio else None,
    )


def _spans(source: Any, frame_duration_s: Fraction) -> tuple[_Span, _Span]:
    picture, sound = _Span(), _Span()
    for packet in source.demux():
        if packet.pts is None:
            continue
        start_s = packet.pts * packet.time_base
        if packet.stream.type == "video":
            picture.add(start_s, start_s + frame_duration_s)
        elif packet.stream.type == "audio":
            # A codec's first samples are priming, which the file says to skip: only decoding tells where sound starts.
            for frame in packet.decode():
                sound.add(frame.pts * frame.time_base, start_s + packet.duration * packet.time_base)
    return picture, sound


def _audio_info(stream: Any, sound: _Span) -> AudioInfo:
    context = stream.codec_context
    return AudioInfo(
        codec=context.name,
        sample_rate=context.sample_rate,
        channels=context.channels,
        start_s=sound.start_s,
        end_s=sound.end_s,
    )


def _container(format_name: str, path: Path) -> Container:
    for container in Container:
        if container in format_name.split(","):
            return container
    raise MuxError(f"{path.name} is {format_name}, not mp4 or webm")


def _picture_differences(info: ClipInfo, spec: GenerationSpec) -> Iterator[str]:
    clip_format = FORMATS[spec.container]
    expected = {
        "container": spec.container,
        "width": spec.width,
        "height": spec.height,
        "num_frames": spec.delivered_frames,
        "video_codec": clip_format.video.name,
        "pixel_format": PIXEL_FORMAT,
        "has_audio": spec.generate_audio,
    }
    yield from _differences(info, expected)
    if abs(1 / info.frame_rate - 1 / spec.frame_rate) > clip_format.frame_resolution_s:
        yield f"frame_rate is {info.frame_rate}, expected {spec.frame_rate}"
    if abs(info.duration_s - spec.duration_s) > clip_format.pts_resolution_s:
        yield f"duration_s is {float(info.duration_s)}, expected {float(spec.duration_s)}"


def _sound_differences(info: ClipInfo, spec: GenerationSpec) -> Iterator[str]:
    if info.audio is None:
        return
    clip_format = FORMATS[spec.container]
    yield from _differences(info.audio, {"codec": clip_format.audio.name, "channels": CHANNELS})
    rates = clip_format.sample_rates if spec.sound is not None else (SAMPLE_RATE,)
    if info.audio.sample_rate not in rates:
        yield f"sample_rate is {info.audio.sample_rate}, expected {' or '.join(map(str, rates))}"
    start_offset_s = info.audio.start_s - info.video_start_s
    if abs(start_offset_s) > MAX_START_OFFSET_S:
        yield f"sound starts {float(start_offset_s)} s after the picture"
    end_offset_s = info.audio.end_s - info.video_end_s
    if abs(end_offset_s) > Fraction(clip_format.audio_frame, info.audio.sample_rate) + clip_format.pts_resolution_s:
        yield f"sound ends {float(end_offset_s)} s after the picture"


def _differences(info: ClipInfo | AudioInfo, expected: dict[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        if getattr(info, name) != value:
            yield f"{name} is {getattr(info, name)}, expected {value}"


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, OSError) as exc:
        raise MuxError(f"{path.name} cannot be read: {exc.strerror}") from exc
