"""GET /models, /v1/models, /v1/models/{id}: the only model, its limits and defaults."""

import asyncio
from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from enhancer.enhancement import EnhancerStatus
from pipelines.memory import DEFAULT_CLIP, MemoryPlan
from server.answers.clip import MODEL_ID
from server.answers.error_schema import READ, errors
from server.answers.errors import ModelNotFound
from server.contract import limits
from server.contract.wire import NUM_INFERENCE_STEPS, GenerateRequest
from server.loras.catalog import CatalogEntry
from server.services import services_of
from server.worker.messages import ModelInfo
from weights.licenses import VIDEO_LICENSES

router = APIRouter()

MODES = ["text-to-video", "image-to-video", "keyframes"]
FEATURES = ["negative_prompt", "audio", "retake", "continue", "remix", "preview", "stream", "thumbnails"]


class LoraAnswer(BaseModel):
    """A LoRA that requests may name, as its file is now."""

    model_config = ConfigDict(title="Lora")

    name: str
    strength: float = Field(description="Used by requests that do not say one.")
    applied: bool = Field(description="True if it changes every clip whose request does not send `loras`.")
    file: str
    size_bytes: int | None = Field(description="Null if there is no such file.")
    rank: int | None = Field(description="The largest of its layers. Null if it cannot be used, or is not read yet.")
    error: str | None = Field(description="Why it cannot be used.")


class MemoryAnswer(BaseModel):
    """Bytes in device and host memory, and the device's capacity for weights and clips."""

    model_config = ConfigDict(title="ModelMemory")

    level: str
    components: dict[str, int]
    streamed: list[str]
    resident_bytes: int
    host_bytes: int
    capacity_bytes: int
    default_clip_peak_bytes: int


class ModelAnswer(BaseModel):
    """The model. Fields that are known only once it is loaded are null before that."""

    model_config = ConfigDict(title="Model")

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "Lightricks"
    checkpoint: str | None
    is_tiny: bool | None = Field(description="True for the tiny model.")
    device: str | None
    precision: str | None
    size_bytes: dict[str, int] | None = Field(description="Size of the weights by dtype.")
    fp8_linears: int | None = Field(description="Number of layers that multiply in FP8.")
    encoder: str | None = Field(description="Encoder of mp4 clips: libx264, or h264_nvenc.")
    memory: MemoryAnswer | None
    license: list[dict[str, str]] | None = Field(description="The licences of the weights.")
    warnings: list[str]
    stages: int
    num_inference_steps: int
    modes: list[str]
    features: list[str] = Field(description="What this server can do beyond the modes.")
    loras: list[LoraAnswer] = Field(description="The LoRAs that a request may name.")
    enhance_prompt: bool = Field(description="True if prompts can be enhanced.")
    limits: dict[str, Any]
    defaults: dict[str, Any]


class ModelListAnswer(BaseModel):
    """All models; there is only one."""

    model_config = ConfigDict(title="ModelList")

    object: Literal["list"] = "list"
    data: list[ModelAnswer]


@router.get("/models", summary="List the model, its limits and defaults", responses=errors(401, 500))
async def list_models(request: Request) -> ModelListAnswer:
    return ModelListAnswer(data=[await asyncio.to_thread(_model, request)])


@router.get("/v1/models", summary="List the model, where OpenAI's clients look for it", responses=errors(401, 500))
async def list_openai_models(request: Request) -> ModelListAnswer:
    return await list_models(request)


@router.get("/v1/models/{model_id}", summary="Get the model by its id", responses=errors(*READ, 404))
async def retrieve_model(request: Request, model_id: str) -> ModelAnswer:
    if model_id != MODEL_ID:
        raise ModelNotFound(model_id)
    return await asyncio.to_thread(_model, request)


def _model(request: Request) -> ModelAnswer:
    services = services_of(request)
    model = services.dispatcher.status.model
    return ModelAnswer(
        id=MODEL_ID,
        checkpoint=model.checkpoint if model else None,
        is_tiny=model.is_tiny if model else None,
        device=model.device if model else None,
        precision=model.dtype if model else None,
        size_bytes=dict(model.size_bytes) if model else None,
        fp8_linears=model.fp8_linears if model else None,
        encoder=model.encoder if model else None,
        memory=_memory(model.plan) if model and model.plan else None,
        license=describe_licenses(model) if model else None,
        warnings=list(model.warnings) if model else [],
        stages=services.settings.stages,
        num_inference_steps=NUM_INFERENCE_STEPS,
        modes=MODES,
        features=FEATURES
        + ([] if services.loras.is_empty else ["lora"])
        + ([] if services.settings.c2pa_key is None else ["c2pa"]),
        loras=[_lora(entry) for entry in services.loras.entries(model).values()],
        enhance_prompt=services.enhancer.state.status is not EnhancerStatus.OFF,
        limits=limits.PUBLISHED,
        defaults=_defaults(),
    )


def _lora(entry: CatalogEntry) -> LoraAnswer:
    return LoraAnswer(
        name=entry.name,
        strength=entry.strength,
        applied=entry.is_applied,
        file=entry.path.name,
        size_bytes=entry.size_bytes,
        rank=None if entry.lora is None else entry.lora.rank,
        error=entry.error,
    )


def describe_licenses(model: ModelInfo) -> list[dict[str, str]]:
    """Return the licences of the weights; the tiny model has none, because its weights come with this server."""
    return [] if model.is_tiny else [asdict(license) for license in VIDEO_LICENSES]


def _memory(plan: MemoryPlan) -> MemoryAnswer:
    return MemoryAnswer(
        level=plan.level,
        components={name: size.size_bytes for name, size in plan.components.items()},
        streamed=sorted(plan.streamed),
        resident_bytes=plan.resident_bytes,
        host_bytes=plan.host_bytes,
        capacity_bytes=plan.capacity_bytes,
        default_clip_peak_bytes=plan.peak_bytes(DEFAULT_CLIP, plan.kept(DEFAULT_CLIP)),
    )


def _defaults() -> dict[str, Any]:
    fields = GenerateRequest.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required() and field.default is not None}
