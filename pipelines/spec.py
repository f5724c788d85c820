"""Define what to generate, with every default resolved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from pipelines.direction import Continuation, Guidance, LoraStrength, Retake, Sound, Source, validate_loras
from pipelines.errors import SpecError

# The H.264 CRF of the images LTX-2.3 was trained on: Lightricks/LTX-2, ltx_pipelines DEFAULT_IMAGE_CRF.
DEFAULT_CRF = 33
MAX_CRF = 51

MAX_SEED = 2**64 - 1

# One latent frame of the video.
TAIL_GUARD_FRAMES = 8
MIN_FRAMES = 9

# Stage 1 runs at half size on a latent grid of 32 pixels.
SIZE_MULTIPLE = 64


class Container(StrEnum):
    """The container of the file; `media.codecs` has its codecs."""

    MP4 = "mp4"
    WEBM = "webm"


@dataclass(frozen=True)
class Keyframe:
    """An image that the clip shows at one pixel frame.

    frame_idx: 0 .. num_frames - 1. strength: 0 (ignored) .. 1 (kept as it is).
    crf: 0 .. 51, the H.264 re-compression before encoding; 0 skips it.
    """

    path: Path
    frame_idx: int = 0
    strength: float = 1.0
    crf: int = DEFAULT_CRF


class Misplaced(StrEnum):
    """Why a keyframe cannot be at its frame: the clip does not have it, or an earlier keyframe is there."""

    OUT_OF_RANGE = "frame_out_of_range"
    REPEATED = "frame_repeated"


def misplaced_keyframes(frames: Sequence[int], num_frames: int) -> Iterator[tuple[int, Misplaced]]:
    """Yield the position in `frames` of each keyframe that cannot be there, and why."""
    for i, frame in enumerate(frames):
        if not 0 <= frame < num_frames:
            yield i, Misplaced.OUT_OF_RANGE
        elif frames.index(frame) < i:
            yield i, Misplaced.REPEATED


@dataclass(frozen=True)
class GenerationSpec:
    """One clip. Sizes in pixels, `frame_rate` in frames a second, `num_frames` = 8k + 1.

    stages: 2 is the distilled flow (half size, upsampler, refinement); 1 runs the 8 steps at full size.
    sound: drives the picture; with `generate_audio` it is the clip's track, too. None: the sound is generated.
    source: the clip that this one is made from. num_frames counts what is rendered, with the frames that are given.
    tail_guard: the last 8 of num_frames are cut off, because the model blurs what is at the end, such as a keyframe.
    embed_metadata: the file says how it was made.
    Raises SpecError when a field is out of bounds.
    """

    prompt: str
    seed: int
    width: int
    height: int
    num_frames: int
    frame_rate: Fraction
    keyframes: tuple[Keyframe, ...] = ()
    generate_audio: bool = True
    container: Container = Container.MP4
    stages: int = 2
    guidance: Guidance | None = None
    sound: Sound | None = None
    source: Source | None = None
    loras: tuple[LoraStrength, ...] = ()
    tail_guard: bool = False
    embed_metadata: bool = False

    def __post_init__(self) -> None:
        for field in ("width", "height"):
            if getattr(self, field) < SIZE_MULTIPLE or getattr(self, field) % SIZE_MULTIPLE:
                raise SpecError(field, f"must be a positive multiple of {SIZE_MULTIPLE}, got {getattr(self, field)}")
        least = MIN_FRAMES + self._guard_frames
        if self.num_frames < least or self.num_frames % 8 != 1:
            raise SpecError("num_frames", f"must be 8k + 1 and at least {least}, got {self.num_frames}")
        if not 0 <= self.seed <= MAX_SEED:
            raise SpecError("seed", f"must be in 0 .. 2**64 - 1, got {self.seed}")
        if self.frame_rate <= 0:
            raise SpecError("frame_rate", f"must be positive, got {self.frame_rate}")
        if self.stages not in (1, 2):
            raise SpecError("stages", f"must be 1 or 2, got {self.stages}")
        _validate_keyframes(self.keyframes, self.num_frames - self._guard_frames)
        validate_loras(self.loras)
        if self.source is not None:
            _validate_source(self, self.source)

    @property
    def delivered_frames(self) -> int:
        """Return the number of frames in the file."""
        match self.source:
            case Retake(clip_frames=clip_frames):
                return clip_frames
            case Continuation(clip_frames=clip_frames, context_frames=context_frames):
                return clip_frames + self.num_frames - context_frames
        return self.num_frames - self._guard_frames

    @property
    def _guard_frames(self) -> int:
        return TAIL_GUARD_FRAMES if self.tail_guard else 0

    @property
    def renders_sound(self) -> bool:
        """Return whether any sound of the file is rendered."""
        keeps_sound = isinstance(self.source, Retake) and not self.source.audio
        return self.generate_audio and self.sound is None and not keeps_sound

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Return the files that it is rendered from."""
        others = (given.path for given in (self.sound, self.source) if given is not None)
        return (*(keyframe.path for keyframe in self.keyframes), *others)

    @property
    def effective_guidance(self) -> Guidance | None:
        return self.guidance if self.guidance is not None and self.guidance.has_effect else None

    @property
    def prompts(self) -> dict[str, str]:
        """Return the texts that are encoded, by what they are called in messages."""
        negative = self.effective_guidance
        return {"the prompt": self.prompt} | ({"the negative prompt": negative.negative_prompt} if negative else {})

    @property
    def duration_s(self) -> Fraction:
        return self.delivered_frames / self.frame_rate


def _validate_source(spec: GenerationSpec, source: Source) -> None:
    if spec.tail_guard:
        raise SpecError("tail_guard", "must be off where a clip is retaken or continued")
    images = _image_frames(spec, source)
    first = source.first_frame if isinstance(source, Continuation) else 0
    for i, keyframe in enumerate(spec.keyframes):
        if keyframe.frame_idx not in images:
            where = f"in {images.start + first} .. {images.stop - 1 + first}" if images else "absent"
            got = keyframe.frame_idx + first
            raise SpecError(f"keyframes.{i}.frame_idx", f"must be {where}: other frames are not rendered, got {got}")
    if spec.sound is not None:
        raise SpecError("audio", "cannot be given where a clip is retaken or continued: its sound stays")
    match source:
        case Retake(num_frames=num_frames, clip_frames=clip_frames, start_s=start_s):
            if spec.num_frames != num_frames:
                raise SpecError("num_frames", f"must be {num_frames} to retake {clip_frames} frames, got "
                                              f"{spec.num_frames}")  # fmt: skip
            if start_s >= spec.duration_s:
                raise SpecError(
                    "retake", f"must start before the clip ends at {float(spec.duration_s):g} s, got {start_s}"
                )
        case Continuation(context_frames=context_frames):
            if spec.num_frames <= context_frames:
                raise SpecError("num_frames", f"must be more than the {context_frames} frames that are kept, got "
                                              f"{spec.num_frames}")  # fmt: skip


def _image_frames(spec: GenerationSpec, source: Source) -> range:
    if isinstance(source, Continuation):
        return range(source.context_frames, spec.num_frames)
    return source.image_frames(float(spec.frame_rate))


def _validate_keyframes(keyframes: tuple[Keyframe, ...], num_frames: int) -> None:
    frames = [keyframe.frame_idx for keyframe in keyframes]
    for i, fault in misplaced_keyframes(frames, num_frames):
        messages = {
            Misplaced.OUT_OF_RANGE: f"must be in 0 .. {num_frames - 1}, got {frames[i]}",
            Misplaced.REPEATED: f"frame {frames[i]} has a keyframe already",
        }
        raise SpecError(f"keyframes.{i}.frame_idx", messages[fault])
    for i, keyframe in enumerate(keyframes):
        if not 0 <= keyframe.strength <= 1:
            raise SpecError(f"keyframes.{i}.strength", f"must be in 0 .. 1, got {keyframe.strength}")
        if not 0 <= keyframe.crf <= MAX_CRF:
            raise SpecError(f"keyframes.{i}.crf", f"must be in 0 .. {MAX_CRF}, got {keyframe.crf}")
