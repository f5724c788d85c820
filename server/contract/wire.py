"""The documented fields of POST /generate: types, defaults and limits."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from pipelines.direction import DEFAULT_NEGATIVE_PROMPT, MAX_LORA_STRENGTH, MAX_LORAS, Continuation, Guidance
from pipelines.geometry import (
    MAX_FRAME_RATE,
    MAX_LONG_SIDE,
    MAX_SHORT_SIDE,
    MIN_FRAME_RATE,
    MIN_NUM_FRAMES,
    MIN_SIDE,
)
from pipelines.ltx.schedule import STAGE_1_SIGMAS
from pipelines.memory import DEFAULT_CLIP
from pipelines.spec import DEFAULT_CRF, SIZE_MULTIPLE, TAIL_GUARD_FRAMES
from server.contract.limits import DURATION, IMAGE, MAX_KEYFRAMES, SOUND, VIDEO
from server.contract.scalars import (
    ENCODABLE,
    LAST_FRAME,
    NUMBER,
    RANDOM_SEED,
    Crf,
    FrameCount,
    FrameIndex,
    Integer,
    NagAlpha,
    NagScale,
    NagTau,
    NegativePrompt,
    Number,
    Prompt,
    Seconds,
    Seed,
    Side,
    Strength,
    Text,
)

DEFAULT_GUIDANCE_SCALE = 3.1
NUM_INFERENCE_STEPS = len(STAGE_1_SIGMAS) - 1
# The seed for `use_random_seed: false` without a seed.
FIXED_SEED = 42

CFG = 1.0
_NOT_USED = f"not used: the distilled model runs at CFG {CFG:g}"
_SNAPPED = f"Pixels, snapped to the nearest multiple of {SIZE_MULTIPLE} within"
_LONG, _SHORT = f"{MIN_SIDE} .. {MAX_LONG_SIDE}", f"{MIN_SIDE} .. {MAX_SHORT_SIDE}"

EXAMPLE: dict[str, JsonValue] = {
    "prompt": "A red fox trots through fresh snow at dawn, its steps crunching softly",
    "width": 768,
    "height": 512,
    "duration": 5,
    "seed": 42,
}


def _without_default(schema: JsonDict) -> None:
    del schema["default"]


class WireModel(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, hide_input_in_errors=True, frozen=True)


class KeyframeRequest(WireModel):
    """An image, and the frame that shows it."""

    image_b64: Text = Field(description=IMAGE)
    frame_idx: FrameIndex = Field(
        description=f"0 to num_frames - 1, or {LAST_FRAME} for the last frame. No two keyframes share one. When "
        "num_frames is snapped or capped, a keyframe at its end moves along."
    )
    strength: Strength = Field(default=1.0, description="0 ignores the image, 1 keeps it unchanged.")
    crf: Crf = Field(
        default=DEFAULT_CRF, description="H.264 re-compression of the image before it is encoded; 0 skips it."
    )


KeyframeList = Annotated[list[KeyframeRequest], Field(max_length=MAX_KEYFRAMES, json_schema_extra={"minItems": 2})]


LoraScale = Annotated[float, Field(ge=-MAX_LORA_STRENGTH, le=MAX_LORA_STRENGTH), NUMBER]


class LoraRequest(WireModel):
    """A LoRA of the server, and how strongly it changes the model."""

    name: Annotated[str, Field(min_length=1, max_length=255), ENCODABLE] = Field(description="As GET /models lists it.")
    strength: LoraScale | None = Field(
        default=None, description="0 leaves the model as it is. Omit it for the LoRA's own strength, usually 1."
    )


LoraList = Annotated[list[LoraRequest], Field(max_length=MAX_LORAS)]


class RetakeRequest(WireModel):
    """A part of a clip to render anew; the rest of it stays as it is."""

    start: Seconds = Field(default=0.0, description="Seconds from the beginning of the clip.")
    end: Seconds | None = Field(default=None, description="Seconds; the end of the clip if omitted.")
    video: bool = Field(default=True, description="False keeps the picture.")
    audio: bool = Field(default=True, description="False keeps the sound.")


class ContinueRequest(WireModel):
    """The part to render after a clip. The file has both."""

    seconds: Annotated[float, Field(gt=0), NUMBER] = Field(
        default=5.0, description="Seconds to add, rounded to 8 frames."
    )
    context_frames: FrameCount = Field(
        default=Continuation.context_frames,
        description="Frames at the end of the clip that the new ones go on from, 8k + 1.",
    )


class GenerateRequest(WireModel):
    """A video to generate. Values that do not fit are snapped, clamped or ignored, and reported in `adjustments`."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    prompt: Prompt = Field(description="What the clip shows, and how it sounds.")
    negative_prompt: NegativePrompt = Field(
        default=DEFAULT_NEGATIVE_PROMPT,
        description="What the clip is led away from, by normalised attention guidance. The default text alone changes "
        "nothing: it is used only with a nag_scale above 1.",
    )
    nag_scale: NagScale | None = Field(
        default=None,
        description="How far the clip is led away from negative_prompt; up to 1 it is not. "
        f"{Guidance.scale:g} if a negative_prompt other than the default is sent.",
    )
    nag_alpha: NagAlpha | None = Field(
        default=None, description=f"The share of the guided attention; {Guidance.alpha:g} if omitted."
    )
    nag_tau: NagTau | None = Field(
        default=None,
        description="The most by which the guided attention may be larger than the plain one; "
        f"{Guidance.tau:g} if omitted.",
    )
    nag_audio: bool | None = Field(default=None, description="True guides the sound, too.")
    width: Side = Field(default=DEFAULT_CLIP.width, description=f"{_SNAPPED} {_LONG} ({_SHORT} in portrait).")
    height: Side = Field(default=DEFAULT_CLIP.height, description=f"{_SNAPPED} {_SHORT} ({_LONG} in portrait).")
    num_frames: FrameCount | None = Field(
        default=None,
        description=f"Snapped to the nearest 8k + 1, at least {MIN_NUM_FRAMES}. Omit it to derive it from duration x "
        f"fps; {DEFAULT_CLIP.num_frames} when duration is omitted too. {DURATION}",
    )
    frames: FrameCount | None = Field(default=None, description="Another name for num_frames, which wins over it.")
    duration: Seconds | None = Field(
        default=None,
        description="Seconds; 0 counts as omitted. Derives num_frames from fps; with num_frames and without fps it "
        f"derives fps. {DURATION}",
    )
    fps: Number | None = Field(
        default=None,
        description=f"Frames a second, clamped to {MIN_FRAME_RATE} .. {MAX_FRAME_RATE}; fractions are fine (23.976). "
        f"{DEFAULT_CLIP.frame_rate} unless it is derived.",
    )
    seed: Seed | None = Field(
        default=None,
        description=f"The same request with the same seed gives the same clip. Random if omitted or {RANDOM_SEED}.",
    )
    use_random_seed: bool = Field(
        default=True,
        description=f"Without a seed, false means seed {FIXED_SEED}; otherwise a random one is drawn.",
        # A generated client would send a published default, which is not the same as sending nothing.
        json_schema_extra=_without_default,
    )
    keyframes: KeyframeList | None = Field(
        default=None,
        description="2 or more images, one of them at frame 0. They take precedence over input_image_b64.",
    )
    input_image_b64: Text | None = Field(
        default=None,
        description=f"The first frame: {IMAGE}",
    )
    loras: LoraList | None = Field(
        default=None,
        description="LoRAs that change the model for this clip; they add up. Omit it for those that this server gives "
        "to every clip; [] is none.",
    )
    audio_b64: Text | None = Field(
        default=None,
        description=f"A sound that drives the picture and is the clip's track: {SOUND} Without num_frames and duration "
        "the clip is as long as the sound.",
    )
    audio_start: Seconds | None = Field(
        default=None,
        description="Where in the sound the clip begins, in seconds; 0 if omitted. Silence follows where it ends.",
    )
    video_b64: Text | None = Field(default=None, description=f"A clip, for retake or continue. {VIDEO}")
    from_video: Text | None = Field(
        default=None, description="Instead of video_b64: the id of a finished video of this server."
    )
    retake: RetakeRequest | None = Field(
        default=None,
        description="Render a part of the clip anew, with its size, length and rate. Frames come in groups of 8.",
    )
    continue_: ContinueRequest | None = Field(
        default=None, alias="continue", description="Render what follows the clip, with its size and rate."
    )
    tail_guard: Literal["auto", "on", "off"] | None = Field(
        default=None,
        description=f"On renders {TAIL_GUARD_FRAMES} frames more and cuts them off, because the model blurs what is at "
        "the end; auto does so if a keyframe is at the last frame. Off if omitted.",
    )
    generate_audio: bool = Field(
        default=True,
        description="False gives a silent file. The picture still follows audio_b64.",
    )
    guidance_scale: Number = Field(
        default=DEFAULT_GUIDANCE_SCALE,
        description=f"Accepted (1.0 .. 5.1) but {_NOT_USED}.",
    )
    num_inference_steps: Integer = Field(
        default=NUM_INFERENCE_STEPS, description=f"Always {NUM_INFERENCE_STEPS}, whatever is sent."
    )
    video_format: Literal["mp4", "webm"] = Field(default="mp4", description="The container of the file.")
    embed_metadata: bool | None = Field(
        default=None,
        description="True writes prompt, seed, model and settings into the file, as JSON in its comment.",
    )
    enhance_prompt: bool = Field(
        default=False,
        description="Rewrite the prompt with a language model, which is given a caption of the first image.",
    )
    return_json: bool = Field(default=False, description="Answer JSON with the file in base64 instead of the bytes.")
    stream: bool = Field(
        default=False,
        description="Answer server-sent events: the render's progress and previews, then the clip as JSON.",
    )


def field_names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of a model's fields as they are sent."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())
