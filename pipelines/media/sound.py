"""Decode the sound of a file to samples: those given by a request, and the track of a clip.

Everything before the wanted part is decoded too and thrown away: after a seek the first samples of AAC are wrong.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.errors import SoundError
from pipelines.media.container_size import missing_bytes
from pipelines.media.mp3 import states_length
from pipelines.media.sound_format import MP3, REMEDY, SUGGESTED, SoundFormat, sound_format
from pipelines.media.sound_limits import MAX_CHANNELS, MAX_FILE_BYTES, MAX_PEAK, MAX_SECONDS, SAMPLE_RATES

# The share of a channel beside the front ones when it is folded to stereo: -3 dB.
FOLDED = 0.5**0.5

# The channels of a file that does not name them, by their number.
USUAL_LAYOUTS = {3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}

# Encoders delay the sound and pad it, so the header's length may differ this much.
LENGTH_TOLERANCE_S = Fraction(1, 10)

_SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Waveform:
    """Sound. samples: (channels, n) float32, 1 is full scale."""

    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def duration_s(self) -> Fraction:
        return Fraction(self.samples.shape[1], self.sample_rate)

    def cut(self, end_s: Fraction) -> "Waveform":
        return Waveform(self.samples[:, : round(end_s * self.sample_rate)], self.sample_rate)

    def from_s(self, start_s: Fraction) -> "Waveform":
        return Waveform(self.samples[:, round(start_s * self.sample_rate) :], self.sample_rate)

    def resampled(self, sample_rate: int) -> "Waveform":
        """Convert to another rate with FFmpeg's resampler."""
        if sample_rate == self.sample_rate:
            return self
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(self.samples), format="fltp", layout="stereo")
        frame.sample_rate = self.sample_rate
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=sample_rate)
        parts = [part.to_ndarray() for part in (*resampler.resample(frame), *resampler.resample(None))]
        return Waveform(np.concatenate(parts, axis=1), sample_rate)

    def fitted(self, duration_s: Fraction) -> "Waveform":
        """Cut the end, or pad it with silence."""
        length = round(duration_s * self.sample_rate)
        samples = np.zeros((len(self.samples), length), np.float32)
        kept = min(length, self.samples.shape[1])
        samples[:, :kept] = self.samples[:, :kept]
        return Waveform(samples, self.sample_rate)


def measure_sound(path: Path) -> Fraction:
    """Decode a sound to its end and return its length in seconds. Raises SoundError if it cannot be used."""
    with _opened(path) as (container, stream, stated_s):
        count = 0
        for block in decode_blocks(container, stream):
            _validate_samples(block)
            count += block.shape[1]
            if count > MAX_SECONDS * stream.sample_rate:
                raise too_long()
    length_s = Fraction(count, stream.sample_rate)
    _validate_length(length_s, stated_s)
    return length_s


def read_sound(path: Path, start_s: Fraction, duration_s: Fraction) -> Waveform:
    """Return at most `duration_s` of a sound in stereo, from `start_s` on. Raises SoundError."""
    with _opened(path) as (container, stream, _):
        return read_track(container, stream, start_s, duration_s)


def read_track(container: Any, stream: Any, start_s: Fraction, duration_s: Fraction | None = None) -> Waveform:
    """Return the part of an opened file's audio stream in stereo, to the end if `duration_s` is None."""
    rate = stream.sample_rate
    start = round(start_s * rate)
    end = None if duration_s is None else start + round(duration_s * rate)
    blocks, position = [np.zeros((2, 0), np.float32)], 0
    for block in decode_blocks(container, stream):
        if end is not None and position >= end:
            break
        wanted = block[:, max(start - position, 0) : None if end is None else end - position]
        position += block.shape[1]
        if wanted.size:
            blocks.append(fold_to_stereo(wanted, stream.layout))
    return Waveform(np.concatenate(blocks, axis=1), rate)


def decode_blocks(container: Any, stream: Any) -> Iterator[NDArray[np.float32]]:
    """Yield the samples of a stream, (channels, n) at its rate. Raises SoundError."""
    rate, channels = stream.sample_rate, stream.channels
    with _translated_errors():
        for packet in container.demux(stream):
            for frame in _decode(packet):
                if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
                    raise SoundError("its sample rate or its number of channels changes midway: save it again")
                yield to_float(frame)


def _decode(packet: Any) -> list[Any]:
    try:
        frames: list[Any] = packet.decode()
    except av.InvalidDataError:
        # What players skip: other programs append tags and padding to MP3 files.
        if packet.stream.codec_context.name not in MP3.codecs:
            raise
        return []
    return frames


def to_float(frame: av.AudioFrame) -> NDArray[np.float32]:
    """Return a frame's samples as (channels, n), whatever their format."""
    values: NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    middle, scale = np.float32(128 if values.dtype.kind == "u" else 0), np.float32(2.0 ** (8 * values.itemsize - 1))
    return (values.astype(np.float32) - middle) / scale


def fold_to_stereo(samples: NDArray[np.float32], layout: av.AudioLayout) -> NDArray[np.float32]:
    """Return two channels. A single one is doubled; more than two are mixed so that full scale is not exceeded."""
    if len(samples) <= 2:
        return np.repeat(samples, 2, axis=0) if len(samples) == 1 else samples
    names = channel_names(layout)
    shares = np.array([[_share(name, side) for name in names] for side in "LR"], np.float32)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    folded: NDArray[np.float32] = shares @ samples
    return folded


def channel_names(layout: av.AudioLayout) -> list[str]:
    """Return FFmpeg's names of more than two channels, such as FL, FR, FC and LFE. Without names they are the usual."""
    if layout.nb_channels in USUAL_LAYOUTS and all(channel.name == "NONE" for channel in layout.channels):
        layout = av.AudioLayout(USUAL_LAYOUTS[layout.nb_channels])
    return [channel.name for channel in layout.channels]


def _share(name: str, side: str) -> float:
    """Return how much of a channel goes to the left or the right. The centre goes to both, bass effects to none."""
    other = "R" if side == "L" else "L"
    if name.startswith("LFE") or (other in name and side not in name):
        return 0.0
    return 1.0 if name == f"F{side}" else FOLDED


def too_long() -> SoundError:
    return SoundError(f"it is longer than {MAX_SECONDS} s: cut it, or send the part that the clip needs")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any, Fraction | None]]:
    """Open a sound that is within the limits, as its header says. Raises SoundError.

    Yield its stream, and how long the header says that it is, None if it does not.
    """
    kind = _recognise(path)
    with _translated_errors():
        missing = missing_bytes(path, kind.demuxer)
        if missing:
            raise SoundError(f"it was cut short: {missing} bytes or more are missing; send it complete")
        container = av.open(str(path.absolute()), format=kind.demuxer, options=_restrictions(kind))
    with container:
        if any(stream.type == "video" and not _is_cover(stream) for stream in container.streams):
            raise SoundError(f"it is a video: {REMEDY}")
        if not container.streams.audio:
            raise SoundError(f"the {kind.name} file has no audio track: {REMEDY}")
        stream = container.streams.audio[0]
        stated_s = None if kind is MP3 and not states_length(path) else _length_s(stream)
        _validate_header(stream, kind, stated_s)
        yield container, stream, stated_s


def _restrictions(kind: SoundFormat) -> dict[str, str]:
    """Keep FFmpeg from other files, demuxers and decoders while it looks at a file."""
    codecs = ",".join(sorted(kind.codecs))
    return {"protocol_whitelist": "file", "format_whitelist": kind.demuxer, "codec_whitelist": codecs}


def _recognise(path: Path) -> SoundFormat:
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_SIGNATURE_BYTES)
    except OSError as exc:
        raise SoundError(f"the sound file cannot be read: {exc.strerror}") from exc
    if size_bytes == 0:
        raise SoundError(f"the sound is empty: {REMEDY}")
    if size_bytes > MAX_FILE_BYTES:
        raise SoundError(f"the sound file has {size_bytes} bytes: send at most {MAX_FILE_BYTES} "
                         f"({MAX_FILE_BYTES / 2**20:g} MiB)")  # fmt: skip
    return sound_format(start)


def _is_cover(stream: Any) -> bool:
    """Return whether a video stream is the picture of an album."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _validate_header(stream: Any, kind: SoundFormat, stated_s: Fraction | None) -> None:
    context = stream.codec_context
    if context is None or context.name not in kind.codecs:
        codec = "an unknown codec" if context is None else f"codec {context.name}"
        raise SoundError(f"the {kind.name} file has {codec}: {REMEDY}")
    if stream.sample_rate not in SAMPLE_RATES:
        rates = ", ".join(map(str, SAMPLE_RATES))
        raise SoundError(f"its sample rate is {stream.sample_rate} Hz: send one of {rates}")
    if not 1 <= stream.channels <= MAX_CHANNELS:
        raise SoundError(f"it has {stream.channels} channels: send 1 to {MAX_CHANNELS}")
    if stated_s is not None and stated_s > MAX_SECONDS:
        raise too_long()


def _length_s(stream: Any) -> Fraction | None:
    return None if stream.duration is None else stream.duration * stream.time_base


def _validate_length(length_s: Fraction, stated_s: Fraction | None) -> None:
    if length_s == 0:
        raise SoundError("it holds no samples: send a sound that is longer than 0 s")
    if stated_s is not None and length_s < stated_s - LENGTH_TOLERANCE_S:
        raise SoundError(f"its header says {float(stated_s):.2f} s and it holds {float(length_s):.2f} s: "
                         "it was cut short; send it complete")  # fmt: skip


def _validate_samples(samples: NDArray[np.float32]) -> None:
    peak = float(np.abs(samples).max(initial=0.0))
    if not np.isfinite(peak):
        raise SoundError("some of its samples are no finite numbers: save it again")
    if peak > MAX_PEAK:
        raise SoundError(f"its samples reach {peak:g}, and 1 is full scale: save it again as a normalised sound")


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except SoundError:
        raise
    except (av.FFmpegError, OSError, ValueError) as exc:
        message = f"it is damaged or cut short: send it complete, or save it again as a {SUGGESTED}"
        raise SoundError(message) from exc
