"""Estimate a clip's device memory from sizes alone, without loading anything.

Activations grow linearly: with tokens in the transformer, with pixels in the video VAE, with latents in the upsampler
and the vocoder. The factors below are the number of values in use at the peak. They were counted, allocation by
allocation, on the full-size models on `meta`; tests/pipeline/test_memory.py counts them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from pipelines.errors import SpecError
from pipelines.geometry import (
    MIN_NUM_FRAMES,
    MIN_SIDE,
    TEMPORAL_COMPRESSION,
    audio_latent_length,
    fast_size,
    latent_grid,
)
from pipelines.spec import SIZE_MULTIPLE, GenerationSpec

# Per token and hidden value.
TOKEN = 15.3

# Per hidden value of the 1024 rows of the prompt, at every layer of the text encoder.
PROMPT_VALUE = 4.6
PROMPT_ROWS = 1024

# Per cell of the upsampled latent and channel of the upsampler.
UPSAMPLED_CELL = 4.1

# Per pixel and base channel. The decoder's share is what its convolutions over time keep.
ENCODED_PIXEL, DECODED_PIXEL = 0.75, 5.5

# Likewise, of a clip that is encoded eight frames at a time.
ENCODED_VIDEO_PIXEL = 6.4

# Per audio latent and hidden channel of the vocoder, which is float32.
AUDIO_LATENT = 285

# Per audio latent of a sound that is encoded; its VAE's width is that of a packed latent.
ENCODED_AUDIO_LATENT = 132_500

# Kernels and the allocator need a share of the activations, and cuBLAS and cuDNN a workspace.
OVERHEAD = 1.1
RESERVED_BYTES = 500 * 10**6

# The decoder's chunks are as large as memory allows; this is the smallest.
SMALLEST_CHUNK_BYTES = 200 * 10**6

FLOAT32_BYTES = 4

# The most frames that wait for the encoder: a whole default clip (143 MB), so that the device is free for the next clip
# as soon as the last frame is decoded.
MAX_QUEUED_BYTES = 2**28

# Values of an image that is prepared for both stages, per pixel of the clip: three channels, and a quarter more.
PREPARED_PIXEL = 3.75


class MemoryLevel(StrEnum):
    """The share of the model that stays on the device between uses."""

    RESIDENT = "resident"
    BALANCED = "balanced"
    LOW = "low"


# Of a streamed component that runs: one block computes while the next one is copied.
BLOCKS_AT_ONCE = 2

# Parts of streamed components stay on the device as long as this share of its memory is not exceeded. The rest is for
# larger chunks of the decoder, and for estimates that are too low.
KEPT_SHARE = 0.9

# Components kept in host memory and copied to the device block by block as they run.
STREAMED: Mapping[MemoryLevel, frozenset[str]] = {
    MemoryLevel.RESIDENT: frozenset(),
    MemoryLevel.BALANCED: frozenset({"text_encoder"}),
    MemoryLevel.LOW: frozenset({"text_encoder", "transformer"}),
}

NOTHING: Mapping[str, int] = {}

# The component that each stage runs; the other stages have no blocks to stream.
RUNS = {"prompt": "text_encoder", "denoise": "transformer"}


@dataclass(frozen=True)
class ClipSize:
    """The parts of a specification that determine memory.

    later_keyframes: the images after the first frame. has_audio: whether sound is generated. has_sound: whether it is
    given. has_source: whether the clip is made from another one. lora_bytes: what LoRAs add to the model. lora_names:
    their names, for messages.
    """

    width: int
    height: int
    num_frames: int
    frame_rate: Fraction = Fraction(24)
    is_conditioned: bool = False
    later_keyframes: int = 0
    has_audio: bool = True
    has_sound: bool = False
    has_source: bool = False
    lora_bytes: int = 0
    lora_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: GenerationSpec) -> "ClipSize":
        later = sum(keyframe.frame_idx > 0 for keyframe in spec.keyframes)
        size = (spec.width, spec.height, spec.num_frames, spec.frame_rate)
        has_source = spec.source is not None
        has_sound = spec.sound is not None or has_source
        return cls(*size, bool(spec.keyframes), later, spec.renders_sound, has_sound, has_source)

    def __str__(self) -> str:
        return f"{self.width}x{self.height} with {self.num_frames} frames"


@dataclass(frozen=True)
class Widths:
    """The model widths that activations are proportional to.

    item_bytes: bytes of one value, except in the vocoder, which runs in float32.
    """

    video: int
    audio: int
    text: int
    text_layers: int
    upsampler: int
    encoder: int
    decoder: int
    vocoder: int
    item_bytes: int


@dataclass(frozen=True)
class ComponentSize:
    """The memory of one component's weights.

    part_bytes: those of each part that can be streamed: all that is outside the blocks, then each block. Empty if the
    component cannot be streamed.
    """

    size_bytes: int
    part_bytes: tuple[int, ...] = ()

    def kept_bytes(self, count: int) -> int:
        """Return the bytes of as many parts as stay on the device."""
        return sum(self.part_bytes[number] for number in kept_parts(len(self.part_bytes), count))

    def working_bytes(self, count: int) -> int:
        """Return the bytes on the device while it runs, beyond the parts that stay."""
        kept = kept_parts(len(self.part_bytes), count)
        rest = 0 if 0 in kept else self.part_bytes[0]
        blocks = [size for number, size in enumerate(self.part_bytes) if number not in kept | {0}]
        return rest + min(len(blocks), BLOCKS_AT_ONCE) * max(blocks, default=0)


def kept_parts(parts: int, count: int) -> frozenset[int]:
    """Return which parts stay on the device if `count` of them do: part 0, then blocks that are evenly spread.

    Between two blocks that are copied lie as many as possible that give the copy time. One more part changes none of
    the others.
    """
    digits = parts.bit_length()
    blocks = sorted(range(1, parts), key=lambda number: f"{number:0{digits}b}"[::-1])
    return frozenset([*range(min(parts, 1)), *blocks][:count])


@dataclass(frozen=True)
class MemoryPlan:
    """The place of each component, and the clips that fit.

    capacity_bytes: the device's memory for both. is_fast: whether clips are rendered at `fast_size`.
    """

    level: MemoryLevel
    components: Mapping[str, ComponentSize]
    widths: Widths
    capacity_bytes: int
    is_fast: bool = False

    @property
    def streamed(self) -> frozenset[str]:
        wanted = STREAMED[self.level] & self.components.keys()
        return frozenset(name for name in wanted if self.components[name].part_bytes)

    @property
    def resident_bytes(self) -> int:
        """Device memory of the components that are not streamed."""
        return sum(size.size_bytes for name, size in self.components.items() if name not in self.streamed)

    @property
    def host_bytes(self) -> int:
        """Pinned host memory while the model is loaded."""
        return sum(self.components[name].size_bytes for name in self.streamed)

    @property
    def can_stream(self) -> bool:
        """Return whether the device has its own memory beside the host's, as a GPU has and a CPU has not."""
        return any(size.part_bytes for size in self.components.values())

    def peak_bytes(self, clip: ClipSize, kept: Mapping[str, int] = NOTHING) -> int:
        """Return the device memory at the peak. kept: how many parts of streamed components stay on the device."""
        if self.is_fast:
            width, height = fast_size(clip.width, clip.height)
            clip = replace(clip, width=width, height=height)
        staying = sum(self.components[name].kept_bytes(count) for name, count in kept.items())
        stages = activation_bytes(self.widths, clip)
        working = {stage: self._working_bytes(stage, kept) + needed for stage, needed in stages.items()}
        # On a CPU, what is read of a LoRA lies beside what the model uses of it.
        beside = clip.lora_bytes if self.can_stream else beside_bytes(clip) + 2 * clip.lora_bytes
        return self.resident_bytes + staying + max(working.values()) + beside

    def kept(self, clip: ClipSize) -> Mapping[str, int]:
        """Return how many parts of each streamed component can stay on the device beside this clip.

        Those of the transformer come first: it runs at each step, the text encoder once for a prompt.
        """
        kept: dict[str, int] = {}
        for name in (name for name in ("transformer", "text_encoder") if name in self.streamed):
            counts = range(len(self.components[name].part_bytes), 0, -1)
            fitting = (count for count in counts if self.spare_bytes(clip, kept | {name: count}) >= 0)
            kept[name] = next(fitting, 0)
        return kept

    def spare_bytes(self, clip: ClipSize, kept: Mapping[str, int] = NOTHING) -> int:
        """Return the device memory that nothing needs at the peak; below 0 if that would be too much to keep."""
        return round(KEPT_SHARE * self.capacity_bytes) - RESERVED_BYTES - self.peak_bytes(clip, kept)

    def copied_bytes(self, clip: ClipSize, steps: int) -> int:
        """Return the weights that are copied to the device for a clip of so many steps with a new prompt."""
        runs = {"transformer": steps, "text_encoder": 1}
        copied = 0
        for name, count in self.kept(clip).items():
            size = self.components[name]
            copied += runs[name] * (size.size_bytes - size.kept_bytes(count))
        return copied

    def fits(self, clip: ClipSize) -> bool:
        return self.peak_bytes(clip) + RESERVED_BYTES <= self.capacity_bytes

    def validate(self, clip: ClipSize) -> None:
        """Raise SpecError, naming a size that would fit, if the clip does not fit."""
        if self.fits(clip):
            return
        if clip.lora_bytes and self.fits(replace(clip, lora_bytes=0)):
            raise self._loras_too_large(clip)
        needed, has = self.peak_bytes(clip) + RESERVED_BYTES, self.capacity_bytes
        fitting = [str(found) for found in (self.smaller(clip), self.shorter(clip)) if found]
        advice = f"{' or '.join(fitting)} would fit" if fitting else "no clip of this shape would fit"
        raise SpecError("width", f"{clip} needs {needed / 1e9:.1f} GB of memory, the device has {has / 1e9:.1f} GB for "
                                 f"it; {advice}")  # fmt: skip

    def _loras_too_large(self, clip: ClipSize) -> SpecError:
        needed = self.peak_bytes(clip) - self.peak_bytes(replace(clip, lora_bytes=0))
        left = self.capacity_bytes - self.peak_bytes(clip) - RESERVED_BYTES + needed
        fitting = [f"{found} would fit" for found in (self.smaller(clip), self.shorter(clip)) if found]
        advice = " or ".join(["leave out a LoRA", *fitting])
        return SpecError("loras", f"{', '.join(clip.lora_names)} need {needed / 1e9:.1f} GB of memory beside {clip}, "
                                  f"{left / 1e9:.1f} GB are left; {advice}")  # fmt: skip

    def smaller(self, clip: ClipSize) -> ClipSize | None:
        """Return the largest clip of this shape and length that fits, or None."""
        aspect = clip.width / clip.height
        for height in range(clip.height, MIN_SIDE - 1, -SIZE_MULTIPLE):
            width = min(max(round(height * aspect / SIZE_MULTIPLE) * SIZE_MULTIPLE, MIN_SIDE), clip.width)
            if self.fits(candidate := replace(clip, width=width, height=height)):
                return candidate
        return None

    def shorter(self, clip: ClipSize) -> ClipSize | None:
        """Return the longest clip of this size that fits, or None."""
        lengths = range(clip.num_frames, MIN_NUM_FRAMES - 1, -TEMPORAL_COMPRESSION)
        candidates = (replace(clip, num_frames=num_frames) for num_frames in lengths)
        return next(filter(self.fits, candidates), None)

    def _working_bytes(self, stage: str, kept: Mapping[str, int]) -> int:
        component = RUNS.get(stage, "")
        if component not in self.streamed:
            return 0
        return self.components[component].working_bytes(kept.get(component, 0))


def denoise_values(widths: Widths, tokens: int, audio: int) -> float:
    return TOKEN * (tokens * widths.video + audio * widths.audio)


def denoise_bytes(widths: Widths, tokens: int, audio: int) -> int:
    """Return the peak activation memory of one denoising step."""
    return round(OVERHEAD * denoise_values(widths, tokens, audio) * widths.item_bytes)


def activation_bytes(widths: Widths, clip: ClipSize) -> dict[str, int]:
    """Return the peak activation memory of each stage."""
    grid, audio, pixels = latent_grid(clip), audio_latent_length(clip), clip.width * clip.height
    tokens = grid.tokens + clip.later_keyframes * grid.tokens_per_frame
    values = {
        "prompt": PROMPT_VALUE * PROMPT_ROWS * widths.text * (widths.text_layers + 1),
        "denoise": denoise_values(widths, tokens, audio),
        "upsample": UPSAMPLED_CELL * grid.tokens * widths.upsampler,
        "encode": ENCODED_PIXEL * pixels * widths.encoder * clip.is_conditioned,
        "source": ENCODED_VIDEO_PIXEL * pixels * widths.encoder * clip.has_source,
        "sound": ENCODED_AUDIO_LATENT * audio * clip.has_sound,
        "decode": DECODED_PIXEL * pixels * widths.decoder,
    }
    needed = {stage: OVERHEAD * count * widths.item_bytes for stage, count in values.items()}
    needed["decode"] += SMALLEST_CHUNK_BYTES
    needed["audio"] = OVERHEAD * AUDIO_LATENT * audio * widths.vocoder * FLOAT32_BYTES * clip.has_audio
    return {stage: round(size) for stage, size in needed.items()}


def beside_bytes(clip: ClipSize) -> int:
    """Return the host memory that a clip needs beside the next one, and before it: its queued frames and its images."""
    pixels = clip.width * clip.height
    images = clip.is_conditioned + clip.later_keyframes
    return min(3 * pixels * clip.num_frames, MAX_QUEUED_BYTES) + round(PREPARED_PIXEL * pixels * images * FLOAT32_BYTES)


# The hosted endpoint's default clip, from an image.
DEFAULT_CLIP = ClipSize(768, 512, 121, is_conditioned=True)
SMALLEST_CLIP = ClipSize(MIN_SIDE, MIN_SIDE, MIN_NUM_FRAMES)


def choose_plan(
    wanted: MemoryLevel | None, components: Mapping[str, ComponentSize], widths: Widths, capacity_bytes: int
) -> MemoryPlan:
    """Return the plan for the wanted level, or for the first level that fits the default clip.

    If no level fits it, the plan that uses the least memory is returned. Where nothing can be streamed, as on a CPU,
    every level is the same.
    """
    resident = MemoryPlan(MemoryLevel.RESIDENT, components, widths, capacity_bytes)
    levels = [wanted] if wanted is not None else list(MemoryLevel) if resident.can_stream else [MemoryLevel.RESIDENT]
    plans = [replace(resident, level=level) for level in levels]
    return next((plan for plan in plans if plan.fits(DEFAULT_CLIP)), plans[-1])


def fits_unstreamed(
    wanted: MemoryLevel | None, components: Mapping[str, ComponentSize], widths: Widths, capacity_bytes: int
) -> bool:
    """Return whether the default clip fits with the transformer on the device; without a wanted level, with all on it.

    As `choose_plan` takes them.
    """
    plan = MemoryPlan(wanted or MemoryLevel.RESIDENT, components, widths, capacity_bytes)
    return "transformer" not in plan.streamed and plan.fits(DEFAULT_CLIP)
