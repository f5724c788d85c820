"""The documented fields of POST /generate: types, defaults and limits."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.config import JsonDict

from pipelines.media.image_limits import MAX_FILE_BYTES, MAX_PIXELS
from pipelines.spec import DEFAULT_CRF
from server.contract.scalars import (
    Crf,
    FrameCount,
    FrameIndex,
    Integer,
    Number,
    Prompt,
    Seconds,
    Seed,
    Side,
    Strength,
    Text,
)

DEFAULT_NEGATIVE_PROMPT = "shaky, glitchy, low quality, worst quality, deformed, distorted"
DEFAULT_GUIDANCE_SCALE = 3.1
# The longest clip has 1001 frames (20 s at 50 fps), with at most one keyframe each.
MAX_KEYFRAMES = 1001

IMAGE = (
    "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC in base64, `data:` prefix or not, up to "
    f"{MAX_FILE_BYTES // 2**20} MiB decoded and {MAX_PIXELS // 10**6} megapixels. Scaled to cover the clip and cropped."
)

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
        description="0 to num_frames - 1, or -1 for the last frame. No two keyframes share one. When num_frames is "
        "snapped or capped, a keyframe at its end moves along."
    )
    strength: Strength = Field(default=1.0, description="0 ignores the image, 1 keeps it unchanged.")
    crf: Crf = Field(
        default=DEFAULT_CRF, description="H.264 re-compression of the image before it is encoded; 0 skips it."
    )


KeyframeList = Annotated[list[KeyframeRequest], Field(max_length=MAX_KEYFRAMES, json_schema_extra={"minItems": 2})]


class GenerateRequest(WireModel):
    """A video to generate. Values that do not fit are snapped, clamped or ignored, and reported in `adjustments`."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    prompt: Prompt = Field(description="What the clip shows, and how it sounds.")
    negative_prompt: Text = Field(
        default=DEFAULT_NEGATIVE_PROMPT,
        description="Accepted but not used: the distilled model runs at CFG 1.",
    )
    width: Side = Field(
        default=768,
        description="Pixels, snapped to the nearest multiple of 64 within 256 .. 3840 (256 .. 2176 in portrait).",
    )
    height: Side = Field(
        default=512,
        description="Pixels, snapped to the nearest multiple of 64 within 256 .. 2176 (256 .. 3840 in portrait).",
    )
    num_frames: FrameCount | None = Field(
        default=None,
        description="Snapped to the nearest 8k + 1, at least 9. Omit it to derive it from duration x fps; 121 when "
        "duration is omitted too. At most 20 s up to 1080p, 10 s at 1440p, 5 s above.",
    )
    frames: FrameCount | None = Field(default=None, description="Another name for num_frames, which wins over it.")
    duration: Seconds | None = Field(
        default=None,
        description="Seconds; 0 counts as omitted. Derives num_frames from fps; with num_frames and without fps it "
        "derives fps. At most 20 s up to 1080p, 10 s at 1440p, 5 s above.",
    )
    fps: Number | None = Field(
        default=None,
        description="Frames a second, clamped to 8 .. 50; fractions are fine (23.976). 24 unless it is derived.",
    )
    seed: Seed | None = Field(
        default=None,
        description="The same request with the same seed gives the same clip. Random if omitted or -1.",
    )
    use_random_seed: bool = Field(
        default=True,
        description="Without a seed, false means seed 42; otherwise a random one is drawn.",
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
    generate_audio: bool = Field(default=True, description="False gives a silent file.")
    guidance_scale: Number = Field(
        default=DEFAULT_GUIDANCE_SCALE,
        description="Accepted (1.0 .. 5.1) but not used: the distilled model runs at CFG 1.",
    )
    num_inference_steps: Integer = Field(default=8, description="Always 8, whatever is sent.")
    video_format: Literal["mp4", "webm"] = Field(default="mp4", description="The container of the file.")
    enhance_prompt: bool = Field(
        default=False,
        description="Rewrite the prompt with a language model, which is given a caption of the first image.",
    )
    return_json: bool = Field(default=False, description="Answer JSON with the file in base64 instead of the bytes.")
