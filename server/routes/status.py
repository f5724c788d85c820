"""GET /health, /livez, /models, /v1/models: what runs here, and whether it would serve. Costs no GPU time."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response

from enhancer.enhancement import Status as EnhancerStatus
from pipelines.memory import DEFAULT_CLIP, MemoryPlan
from server.answers import MODEL_ID
from server.contract import GenerateRequest
from server.engine import Engine, engine_of
from server.errors import AsciiJSONResponse
from server.jobs.status import State, Status, WorkerStatus
from server.messages import ModelInfo
from weights.licenses import VIDEO_LICENSES

router = APIRouter()

RETRY_AFTER_S = 10

MODES = ["text-to-video", "image-to-video", "keyframes"]


@router.get("/livez", summary="Whether the process runs")
async def livez() -> Response:
    return AsciiJSONResponse({"status": "ok"})


@router.get("/health", summary="Whether a request sent now would be served")
async def health(request: Request) -> Response:
    engine = engine_of(request)
    status = engine.dispatcher.status
    body = {"status": health_word(status), **health_facts(engine, status)}
    if status.admits:
        return AsciiJSONResponse(body)
    return AsciiJSONResponse(body, 503, {"Retry-After": str(RETRY_AFTER_S)})


def health_word(status: Status) -> str:
    if status.admits:
        return "ok"
    return "busy" if status.state is State.READY else str(status.state)


def health_facts(engine: Engine, status: Status) -> dict[str, Any]:
    enhancer = engine.enhancer_state
    return {
        "model": MODEL_ID,
        "checkpoint": status.model.checkpoint if status.model else None,
        "device": status.model.device if status.model else None,
        "uptime_s": round(engine.uptime_s, 3),
        "queue": {"depth": status.queued, "capacity": status.capacity, "running": status.running},
        "memory": memory_of(status.workers[0]),
        "worker_restarts": status.restarts,
        "workers": [worker_facts(worker) for worker in status.workers],
        "enhancer": {"status": enhancer.status, "reasons": list(enhancer.reasons)},
        **({"error": status.load_error} if status.load_error else {}),
    }


def worker_facts(worker: WorkerStatus) -> dict[str, Any]:
    """device: as it was asked for; name: what that turned out to be."""
    return {
        "device": worker.device,
        "name": worker.model.device if worker.model else None,
        "status": str(worker.state),
        "running": worker.running,
        "memory": memory_of(worker),
        "restarts": worker.restarts,
        **({"error": worker.load_error} if worker.load_error else {}),
    }


def memory_of(worker: WorkerStatus) -> dict[str, Any] | None:
    return asdict(worker.memory) if worker.memory else None


@router.get("/models", summary="The model, its limits and defaults")
@router.get("/v1/models", summary="The same, where OpenAI's clients look for it")
async def models(request: Request) -> Response:
    engine = engine_of(request)
    return AsciiJSONResponse({"object": "list", "data": [model_facts(engine, engine.dispatcher.status)]})


def model_facts(engine: Engine, status: Status) -> dict[str, Any]:
    model = status.model
    return {
        "id": MODEL_ID,
        "object": "model",
        "created": 0,
        "owned_by": "Lightricks",
        "checkpoint": model.checkpoint if model else None,
        "is_tiny": model.is_tiny if model else None,
        "device": model.device if model else None,
        "precision": model.dtype if model else None,
        "size_bytes": dict(model.size_bytes) if model else None,
        "fp8_linears": model.fp8_linears if model else None,
        "memory": memory_facts(model.plan) if model and model.plan else None,
        "license": license_facts(model) if model else None,
        "warnings": list(model.warnings) if model else [],
        "stages": engine.settings.stages,
        "num_inference_steps": 8,
        "modes": MODES,
        "enhance_prompt": engine.enhancer.state.status is not EnhancerStatus.OFF,
        "limits": LIMITS,
        "defaults": defaults(),
    }


def license_facts(model: ModelInfo) -> list[dict[str, str]]:
    """List the licences of the weights; the tiny model, whose weights are random numbers, has none."""
    return [] if model.is_tiny else [asdict(license) for license in VIDEO_LICENSES]


def memory_facts(plan: MemoryPlan) -> dict[str, Any]:
    """In bytes: what lies on the device, in host memory, and what the device has for weights and clips."""
    return {
        "level": plan.level,
        "components": {name: size.size_bytes for name, size in plan.components.items()},
        "streamed": sorted(plan.streamed),
        "resident_bytes": plan.resident_bytes,
        "host_bytes": plan.host_bytes,
        "capacity_bytes": plan.capacity_bytes,
        "default_clip_peak_bytes": plan.peak_bytes(DEFAULT_CLIP),
    }


LIMITS = {
    "width": {"min": 256, "max": 3840, "multiple_of": 64},
    "height": {"min": 256, "max": 3840, "multiple_of": 64},
    "num_frames": {"min": 9, "form": "8k + 1"},
    "fps": {"min": 8, "max": 50},
    "duration_s": {"1920x1088": 20, "2560x1472": 10, "3840x2176": 5},
    "image_bytes": 32 * 2**20,
    "image_pixels": 64_000_000,
    "prompt_characters": 10_000,
}


def defaults() -> dict[str, Any]:
    fields = GenerateRequest.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required() and field.default is not None}
