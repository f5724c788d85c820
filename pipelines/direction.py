"""Define what directs a clip beside its prompt and images."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path

from pipelines.errors import SpecError

MAX_LORAS, MAX_LORA_STRENGTH = 8, 10.0

# The hosted endpoint's: what many clips are better without.
DEFAULT_NEGATIVE_PROMPT = "shaky, glitchy, low quality, worst quality, deformed, distorted"

MAX_GUIDANCE_SCALE, MAX_GUIDANCE_TAU = 20.0, 10.0


@dataclass(frozen=True)
class Sound:
    """A sound that drives the picture and is the clip's track, from `start_s` on; silence follows where it ends.

    Raises SpecError when a field is out of bounds.
    """

    path: Path
    start_s: float = 0.0

    def __post_init__(self) -> None:
        if not (isfinite(self.start_s) and self.start_s >= 0):
            raise SpecError("audio_start", f"must be 0 or more seconds, got {self.start_s:g}")

    @property
    def exact_start_s(self) -> Fraction:
        """Return the start that the decimal stands for."""
        return Fraction(str(self.start_s))

    def left_of_s(self, length_s: Fraction) -> Fraction:
        """Return what is left of a sound of this length from the start on. Raises SpecError if nothing is."""
        if self.exact_start_s >= length_s:
            end = f"the end of the sound, which is {float(length_s):.3f} s long"
            raise SpecError("audio_start", f"must be before {end}, got {self.start_s:g}")
        return length_s - self.exact_start_s


# 8 frames to a latent of the video, and 4 mel frames of 10 ms to one of the sound; the first holds one.
_FRAMES_PER_LATENT, _MEL_FRAMES_PER_LATENT, _MEL_FRAME_S = 8, 4, 0.01


@dataclass(frozen=True)
class Retake:
    """Render a part of a clip anew; the rest of it stays.

    clip_frames: the frames of the clip, at the rate of the specification. start_s, end_s: the part, in seconds.
    video, audio: what is rendered anew. Whole latents are: up to 7 frames and 30 ms more on each side.
    """

    path: Path
    clip_frames: int
    start_s: float
    end_s: float
    video: bool = True
    audio: bool = True

    def __post_init__(self) -> None:
        if self.clip_frames < 1:
            raise SpecError("retake", "the clip has no frames")
        if not 0 <= self.start_s < self.end_s:
            part = f"{self.start_s} .. {self.end_s}"
            raise SpecError("retake", f"must start at 0 s or later and end after it starts, got {part}")
        if not (self.video or self.audio):
            raise SpecError("retake", "must render the video or the audio anew, or both")

    @property
    def num_frames(self) -> int:
        """Return how many frames are rendered: 8k + 1, the last frame of the clip repeated."""
        return max(-(-(self.clip_frames - 1) // _FRAMES_PER_LATENT), 1) * _FRAMES_PER_LATENT + 1

    def video_latents(self, fps: float) -> range:
        """Return the latent frames that are rendered anew: those that the part overlaps."""
        count = (self.num_frames - 1) // _FRAMES_PER_LATENT + 1
        edges = [_float32(_first_unit(j, _FRAMES_PER_LATENT) / _float32(fps)) for j in range(count + 1)]
        return self._overlapped(edges)

    def audio_latents(self, count: int) -> range:
        """Return which of `count` latents of the sound are rendered anew."""
        return self._overlapped([_float32(mel * _MEL_FRAME_S) for mel in _mel_edges(count)])

    def frames(self, fps: float) -> range:
        """Return the frames that are rendered anew."""
        latents = self.video_latents(fps)
        return range(_first_unit(latents.start, _FRAMES_PER_LATENT), _first_unit(latents.stop, _FRAMES_PER_LATENT))

    def image_frames(self, fps: float) -> range:
        """Return the frames that may have a keyframe."""
        frames = self.frames(fps)
        return range(frames.start, min(frames.stop, self.clip_frames)) if self.video else range(0)

    def sound_s(self, count: int) -> tuple[float, float]:
        """Return the seconds of sound that are rendered anew, of `count` latents."""
        latents = self.audio_latents(count)
        edges = [_first_unit(edge, _MEL_FRAMES_PER_LATENT) * _MEL_FRAME_S for edge in (latents.start, latents.stop)]
        return edges[0], edges[1]

    def _overlapped(self, edges: list[float]) -> range:
        # As the reference compares them, in float32.
        start_s, end_s = _float32(self.start_s), _float32(self.end_s)
        spans = [i for i in range(len(edges) - 1) if edges[i + 1] > start_s and edges[i] < end_s]
        return range(spans[0], spans[-1] + 1) if spans else range(0)


@dataclass(frozen=True)
class Continuation:
    """Render what follows a clip.

    clip_frames: the frames of the clip, at the rate of the specification. context_frames: those at its end, 8k + 1,
    that the rendered clip begins with. They are not written twice.
    """

    path: Path
    clip_frames: int
    context_frames: int = 9

    def __post_init__(self) -> None:
        if self.context_frames < 1 or self.context_frames % _FRAMES_PER_LATENT != 1:
            raise SpecError("continue", f"must keep 8k + 1 frames, got {self.context_frames}")
        if self.context_frames > self.clip_frames:
            raise SpecError("continue", f"must keep at most the {self.clip_frames} frames of the clip, got "
                                        f"{self.context_frames}")  # fmt: skip

    @property
    def first_frame(self) -> int:
        """Return the frame of the file that is the first one of what is rendered."""
        return self.clip_frames - self.context_frames

    @property
    def context_latents(self) -> int:
        return (self.context_frames - 1) // _FRAMES_PER_LATENT + 1


Source = Retake | Continuation


def _first_unit(latent: int, per_latent: int) -> int:
    """Return the first frame, or mel frame, of a latent."""
    return max(0, per_latent * latent - per_latent + 1)


def _mel_edges(count: int) -> list[int]:
    return [_first_unit(i, _MEL_FRAMES_PER_LATENT) for i in range(count + 1)]


def _float32(value: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


@dataclass(frozen=True)
class LoraStrength:
    """A LoRA that changes the model for one clip, and how strongly; 0 leaves the model as it is.

    name: for messages and answers.
    """

    name: str
    path: Path
    strength: float = 1.0


def validate_loras(loras: Sequence[LoraStrength]) -> None:
    """Raise SpecError if there are too many, a name comes twice, or a strength is out of bounds."""
    if len(loras) > MAX_LORAS:
        raise SpecError("loras", f"must be at most {MAX_LORAS}, got {len(loras)}")
    names = [lora.name for lora in loras]
    for i, lora in enumerate(loras):
        if lora.name in names[:i]:
            raise SpecError(f"loras.{i}.name", f"{lora.name!r} is there already; give it once")
        if not (isfinite(lora.strength) and abs(lora.strength) <= MAX_LORA_STRENGTH):
            raise SpecError(
                f"loras.{i}.strength",
                f"must be in -{MAX_LORA_STRENGTH:g} .. {MAX_LORA_STRENGTH:g}, got {lora.strength:g}",
            )


@dataclass(frozen=True)
class Guidance:
    """A negative prompt, and how firmly the clip is led away from it: normalised attention guidance (NAG).

    scale: how far attention goes from the negative prompt to the prompt and beyond; up to 1 it stays at the prompt.
    tau: the most by which the result may be larger than without guidance. alpha: its share in what is used, 0 .. 1.
    audio: whether the sound is guided, too.
    Raises SpecError when a field is out of bounds.
    """

    negative_prompt: str
    scale: float = 5.0
    alpha: float = 0.25
    tau: float = 2.5
    audio: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.scale <= MAX_GUIDANCE_SCALE:
            raise SpecError("nag_scale", f"must be in 0 .. {MAX_GUIDANCE_SCALE:g}, got {self.scale:g}")
        if not 0 <= self.alpha <= 1:
            raise SpecError("nag_alpha", f"must be in 0 .. 1, got {self.alpha:g}")
        if not 0 < self.tau <= MAX_GUIDANCE_TAU:
            raise SpecError("nag_tau", f"must be above 0 and at most {MAX_GUIDANCE_TAU:g}, got {self.tau:g}")

    @property
    def has_effect(self) -> bool:
        """Return whether the clip differs from one without guidance."""
        return self.scale > 1 and self.alpha > 0 and bool(self.negative_prompt.strip())
