"""Compute sizes, frame counts and rates: what a clip may be, and how pixels map to latents."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Protocol

from pipelines.spec import SIZE_MULTIPLE

# LTX-2.3's video VAE: 32 x 32 pixels and 8 frames to a latent; the first latent frame holds one pixel frame.
SPATIAL_COMPRESSION = 32
TEMPORAL_COMPRESSION = 8

# 16 kHz samples, 160 to a mel frame, 4 mel frames to a latent: 25 audio latents a second.
AUDIO_LATENTS_PER_SECOND = 25

MIN_SIDE = 256
# 3840x2160, with 2160 on the grid of 64.
MAX_LONG_SIDE, MAX_SHORT_SIDE = 3840, 2176

MIN_NUM_FRAMES = 9
MIN_FRAME_RATE, MAX_FRAME_RATE = Fraction(8), Fraction(50)

# Pixels to which the fast mode reduces a clip, about: a default clip becomes 192x128.
FAST_PIXELS = 192 * 128

# Seconds up to the area of a size, as the hosted endpoint documents them: 1080p, 1440p, anything larger.
MAX_DURATIONS_S = {(1920, 1088): 20, (2560, 1472): 10, (MAX_LONG_SIDE, MAX_SHORT_SIDE): 5}

# Rates that a decimal only approximates.
NTSC_RATES = (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(48000, 1001))
NTSC_TOLERANCE = Fraction(1, 1000)

# At 50 fps the numerator stays far below 2**31, so that containers can hold the rate as a 32-bit time base.
MAX_RATE_DENOMINATOR = 1_000_000


class ClipShape(Protocol):
    """Anything with a size, a length and a frame rate, such as a GenerationSpec."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def num_frames(self) -> int: ...
    @property
    def frame_rate(self) -> Fraction: ...


@dataclass(frozen=True)
class LatentGrid:
    """The shape of one stage's video latent: frames, rows and columns."""

    frames: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        return self.frames * self.height * self.width

    @property
    def tokens_per_frame(self) -> int:
        return self.height * self.width


def latent_grid(clip: ClipShape, downscale: int = 1) -> LatentGrid:
    """Return the latent grid of `clip` at full size, or at 1 / `downscale` of its width and height."""
    return LatentGrid(
        frames=(clip.num_frames - 1) // TEMPORAL_COMPRESSION + 1,
        height=clip.height // (SPATIAL_COMPRESSION * downscale),
        width=clip.width // (SPATIAL_COMPRESSION * downscale),
    )


def audio_latent_length(clip: ClipShape) -> int:
    return round(clip.num_frames / position_fps(clip.frame_rate) * AUDIO_LATENTS_PER_SECOND)


def position_fps(frame_rate: Fraction) -> float:
    """Return the rate used for positions in time.

    For 24000/1001 it is 23.976, the decimal that users of the reference implementation pass to it: a difference of one
    millionth in the rate changes the waveform of 49 frames by 6e-4.
    """
    return round(float(frame_rate), 3) if frame_rate in NTSC_RATES else float(frame_rate)


def snap_size(width: int, height: int) -> tuple[int, int]:
    """Return the nearest multiples of 64 (a tie goes up) within the landscape or the portrait box."""
    max_width, max_height = max_size(width, height)
    return _snap_side(width, max_width), _snap_side(height, max_height)


def max_size(width: int, height: int) -> tuple[int, int]:
    """Return the largest width and height for this orientation; a square counts as landscape."""
    return (MAX_SHORT_SIDE, MAX_LONG_SIDE) if height > width else (MAX_LONG_SIDE, MAX_SHORT_SIDE)


def _snap_side(side: int, limit: int) -> int:
    snapped = (side + SIZE_MULTIPLE // 2) // SIZE_MULTIPLE * SIZE_MULTIPLE
    return min(max(snapped, MIN_SIDE), limit)


def fast_size(width: int, height: int) -> tuple[int, int]:
    """Return the size at which the fast mode renders: multiples of 64, of about FAST_PIXELS and this shape.

    The shape is not exact: pictures are squeezed into it, and the frames stretched back.
    """
    scale = min((FAST_PIXELS / (width * height)) ** 0.5, 1.0)
    return _fast_side(width, scale), _fast_side(height, scale)


def _fast_side(side: int, scale: float) -> int:
    return max(round(side * scale / SIZE_MULTIPLE), 1) * SIZE_MULTIPLE


def snap_num_frames(frames: int | Fraction) -> int:
    """Return the nearest 8k + 1 (a tie goes up), at least 9."""
    steps = floor(Fraction(frames - 1, TEMPORAL_COMPRESSION) + Fraction(1, 2))
    return max(steps * TEMPORAL_COMPRESSION + 1, MIN_NUM_FRAMES)


def max_duration_s(width: int, height: int) -> int:
    return max(seconds for (w, h), seconds in MAX_DURATIONS_S.items() if width * height <= w * h)


def max_num_frames(width: int, height: int, frame_rate: Fraction) -> int:
    return snap_num_frames(max_duration_s(width, height) * frame_rate)


def sound_num_frames(seconds: Fraction, width: int, height: int, frame_rate: Fraction) -> int:
    """Return the number of frames of a clip that is as long as its sound, as far as the limits allow."""
    return min(snap_num_frames(seconds * frame_rate), max_num_frames(width, height, frame_rate))


def exact_frame_rate(fps: float) -> Fraction:
    """Return the rate that a decimal stands for: 23.976 -> 24000/1001, 12.5 -> 25/2, 24.123 -> 24123/1000.

    A float is read by its shortest decimal spelling. The result is not clamped; see `clamp_frame_rate`.
    """
    rate = Fraction(str(fps))
    return next((ntsc for ntsc in NTSC_RATES if abs(rate - ntsc) < NTSC_TOLERANCE), rate)


def clamp_frame_rate(rate: Fraction) -> Fraction:
    """Clamp `rate` to 8 .. 50 fps, with a denominator that a container can store."""
    return min(max(rate, MIN_FRAME_RATE), MAX_FRAME_RATE).limit_denominator(MAX_RATE_DENOMINATOR)
