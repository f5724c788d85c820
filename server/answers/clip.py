"""Answer with a finished clip: the file itself, or JSON that contains it."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from pipelines.direction import Guidance
from pipelines.media.codecs import FORMATS
from server.contract.adjustments import Adjustment, adjustments_header
from server.requests.rendering import Rendered
from server.videos.prepared import PreparedRequest
from server.videos.video import inference_s

MEBIBYTE = 2**20
MODEL_ID = "LTX-23-Video"

# Whole numbers stay integers in JSON: 24, but 23.976024.
Decimal = Annotated[int | float, WithJsonSchema({"type": "number"})]


BINARY = {"schema": {"type": "string", "format": "binary"}}
# Describes an answer that is a clip in /openapi.json.
CLIP: dict[str, Any] = {"description": "The clip", "content": {"video/mp4": BINARY, "video/webm": BINARY}}


class AdjustmentAnswer(BaseModel):
    """A field that was not used as it was sent."""

    model_config = ConfigDict(title="Adjustment")

    field: str
    requested: str | bool | int | float | None
    used: str | bool | int | float | None
    reason: str


class GuidanceAnswer(BaseModel):
    """The negative prompt that the clip is led away from, and the numbers that are used."""

    model_config = ConfigDict(title="Guidance")

    negative_prompt: str
    nag_scale: Decimal
    nag_alpha: Decimal
    nag_tau: Decimal
    nag_audio: bool


class LoraUsed(BaseModel):
    """A LoRA that changes the model for the clip."""

    model_config = ConfigDict(title="LoraStrength")

    name: str
    strength: Decimal


class ClipFacts(BaseModel):
    """The fields of a clip that every answer has."""

    model: str
    width: int
    height: int
    num_frames: int
    fps: Decimal
    duration: Decimal = Field(description="The length of the clip in seconds.")
    has_audio: bool
    seed: int
    prompt: str = Field(description="The prompt that is rendered.")
    original_prompt: str = Field(description="The prompt that was sent.")
    enhanced: bool
    guidance: GuidanceAnswer | None = Field(
        default=None, exclude_if=lambda value: value is None, description="Absent from a clip without guidance."
    )
    loras: list[LoraUsed] = Field(
        default=[], exclude_if=lambda value: not value, description="Absent from a clip without LoRAs."
    )
    adjustments: list[AdjustmentAnswer] = Field(description="Every value that was changed or ignored.")
    timings: dict[str, float] = Field(description="Seconds in each stage.")


def clip_facts(request: PreparedRequest, timings_s: Mapping[str, float]) -> ClipFacts:
    spec = request.spec
    return ClipFacts(
        model=MODEL_ID,
        width=spec.width,
        height=spec.height,
        num_frames=spec.delivered_frames,
        fps=decimal(spec.frame_rate),
        duration=decimal(spec.duration_s),
        has_audio=spec.generate_audio,
        seed=spec.seed,
        prompt=spec.prompt,
        original_prompt=request.original_prompt,
        enhanced=request.enhanced,
        guidance=guidance_json(spec.effective_guidance),
        loras=[LoraUsed(name=lora.name, strength=decimal(lora.strength)) for lora in spec.loras],
        adjustments=adjustments_json(request.adjustments),
        timings=rounded(timings_s),
    )


def adjustments_json(adjustments: Iterable[Adjustment]) -> list[AdjustmentAnswer]:
    return [AdjustmentAnswer(**asdict(adjustment)) for adjustment in adjustments]


def guidance_json(guidance: Guidance | None) -> GuidanceAnswer | None:
    if guidance is None:
        return None
    return GuidanceAnswer(
        negative_prompt=guidance.negative_prompt,
        nag_scale=decimal(guidance.scale),
        nag_alpha=decimal(guidance.alpha),
        nag_tau=decimal(guidance.tau),
        nag_audio=guidance.audio,
    )


class ClipAnswer(ClipFacts):
    """A clip as JSON, the answer to `return_json`."""

    model_config = ConfigDict(title="Clip")

    id: str
    video: str = Field(description="The file in base64.")
    content_type: str


def clip_headers(rendered: Rendered) -> dict[str, str]:
    request = rendered.request
    facts = clip_facts(request, rendered.timings_s)
    return {
        "Content-Disposition": content_disposition(request, FORMATS[request.spec.container].suffix),
        "X-LTX-Seed": str(facts.seed),
        "X-LTX-Width": str(facts.width),
        "X-LTX-Height": str(facts.height),
        "X-LTX-Frames": str(facts.num_frames),
        "X-LTX-FPS": str(facts.fps),
        "X-LTX-Duration": str(facts.duration),
        "X-LTX-Adjustments": adjustments_header(request.adjustments),
        "Server-Timing": ", ".join(f"{name};dur={1000 * s:.1f}" for name, s in rendered.timings_s.items()),
    }


def content_disposition(request: PreparedRequest, suffix: str) -> str:
    return f'inline; filename="ltx-23-video-{request.spec.seed}{suffix}"'


def performance_headers(rendered: Rendered) -> dict[str, str]:
    """Return the headers of vLLM-Omni's POST /v1/videos/sync."""
    headers = {"X-Inference-Time-S": f"{inference_s(rendered.timings_s):.4f}"}
    if rendered.peak_memory_bytes is not None:
        headers["X-Peak-Memory-MB"] = f"{rendered.peak_memory_bytes / MEBIBYTE:.1f}"
    return headers


def clip_json(rendered: Rendered) -> ClipAnswer:
    return ClipAnswer(
        **dict(clip_facts(rendered.request, rendered.timings_s)),
        id=rendered.id,
        video=base64.b64encode(rendered.data).decode("ascii"),
        content_type=rendered.media_type,
    )


def rounded(timings_s: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds, 4) for name, seconds in timings_s.items()}


def decimal(value: Any) -> float | int:
    """Convert a Fraction to a number for JSON and headers: 24, 23.976024."""
    number = round(float(value), 6)
    return int(number) if number.is_integer() else number
