"""GET /health and /livez: tell whether the server would serve a request now, without using the GPU."""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from server.answers.clip import MODEL_ID
from server.jobs.job import NotReady
from server.jobs.loading import LoadingStatus, Stage
from server.jobs.status import State, Status, WorkerStatus
from server.services import Services, services_of
from server.worker.messages import ModelInfo

router = APIRouter()


class LivezAnswer(BaseModel):
    """The process is running."""

    model_config = ConfigDict(title="Liveness")

    status: Literal["ok"] = "ok"


class QueueAnswer(BaseModel):
    """Waiting and running requests."""

    model_config = ConfigDict(title="Queue")

    depth: int = Field(description="Requests that wait.")
    capacity: int = Field(description="Requests that may wait.")
    running: int = Field(description="Requests that are being rendered.")


class WorkerMemoryAnswer(BaseModel):
    """Memory of a worker process, on the host and on its device."""

    model_config = ConfigDict(title="WorkerMemory")

    resident_bytes: int
    device_allocated_bytes: int | None
    device_total_bytes: int | None
    graphs: int = Field(description="CUDA graphs that the worker keeps.")
    graph_bytes: int = Field(description="What they hold, beside what is allocated.")


class SpeedAnswer(BaseModel):
    """The speed of a worker's transformer, and the sizes that are warm."""

    model_config = ConfigDict(title="Speed")

    mode: str = Field(description="`eager`, `compile` or `graphs`; `eager` where the transformer is streamed.")
    compiled_blocks: int = Field(description="Compiled blocks of the transformer.")
    warm_sizes: list[str] = Field(description="Sizes of which a clip was rendered before the worker was ready.")


class Fp8Answer(BaseModel):
    """The FP8 arithmetic of a worker's transformer."""

    model_config = ConfigDict(title="Fp8")

    mode: str = Field(description="`scaled`, `scaled-all` or `dequantize`.")
    reason: str = Field(description="Why this mode is in force.")
    linears: int = Field(description="Number of layers that multiply in FP8.")


class LoadingAnswer(BaseModel):
    """Progress of fetching and loading the model."""

    model_config = ConfigDict(title="Loading")

    stage: Stage = Field(
        description="`fetching` the files that are missing, `verifying` one of them, or `loading` the model."
    )
    name: str | None = Field(description="The file or the part of the model at work; null before the first.")
    done_bytes: int | None = Field(description="What is done of the stage; null where its size is not known.")
    total_bytes: int | None = Field(
        description="The size of the stage: of all files to fetch, of the file that is verified, or of the whole model."
    )
    seconds_left: float | None = Field(description="Time that the stage will still take; null if it is not known.")


class WorkerAnswer(BaseModel):
    """A worker process, which uses one device."""

    model_config = ConfigDict(title="Worker")

    device: str = Field(description="The device as configured.")
    name: str | None = Field(description="The name of the device that is used.")
    status: str
    running: bool
    memory: WorkerMemoryAnswer | None
    speed: SpeedAnswer | None
    fp8: Fp8Answer | None
    restarts: int
    loading: LoadingAnswer | None = Field(default=None, description="Only while it loads the model.")
    error: str | None = Field(default=None, description="Why the model could not be loaded.")


class EnhancerAnswer(BaseModel):
    """The prompt enhancer."""

    model_config = ConfigDict(title="Enhancer")

    status: str
    reasons: list[str]


class HealthAnswer(BaseModel):
    """The state of the server.

    `loading` is present only while `status` is `loading`, `error` if no worker could load the model, `rehearsal` and
    `fast` if they are on.
    """

    model_config = ConfigDict(title="Health")

    status: str = Field(description="`ok` if a request would be served, else the reason: `loading`, `busy` ...")
    model: str
    checkpoint: str | None
    device: str | None
    uptime_s: float
    queue: QueueAnswer
    memory: WorkerMemoryAnswer | None
    worker_restarts: int
    workers: list[WorkerAnswer]
    enhancer: EnhancerAnswer
    loading: LoadingAnswer | None = None
    error: str | None = None
    rehearsal: bool = Field(default=False, description="Requests can ask for failures.")
    fast: bool = Field(default=False, description="Clips are rendered small and stretched to their size.")


@router.get("/livez", summary="Check that the process runs")
async def livez() -> LivezAnswer:
    return LivezAnswer()


@router.get(
    "/health",
    summary="Check that a request sent now would be served",
    responses={503: {"model": HealthAnswer, "description": "It would not"}},
    response_model_exclude_unset=True,
)
async def health(request: Request, response: Response) -> HealthAnswer:
    services = services_of(request)
    status = services.dispatcher.status
    if not status.admits:
        response.status_code = 503
        response.headers["Retry-After"] = str(NotReady.retry_after_s)
    return _health(services, status)


def _health(services: Services, status: Status) -> HealthAnswer:
    enhancer = services.enhancer_state
    return HealthAnswer(
        status=_word(status),
        model=MODEL_ID,
        checkpoint=status.model.checkpoint if status.model else None,
        device=status.model.device if status.model else None,
        uptime_s=round(services.uptime_s, 3),
        queue=QueueAnswer(depth=status.queued, capacity=status.capacity, running=status.running),
        memory=_memory(status.workers[0]),
        worker_restarts=status.restarts,
        workers=[_worker(worker) for worker in status.workers],
        enhancer=EnhancerAnswer(status=enhancer.status, reasons=list(enhancer.reasons)),
        **_loading(services.loading),
        **_error(status.load_error),
        **_for_tests(services),
    )


def _word(status: Status) -> str:
    if status.admits:
        return "ok"
    return "busy" if status.state is State.READY else str(status.state)


def _fp8(model: ModelInfo) -> Fp8Answer:
    return Fp8Answer(mode=model.fp8, reason=model.fp8_reason, linears=model.fp8_linears)


def _worker(worker: WorkerStatus) -> WorkerAnswer:
    return WorkerAnswer(
        device=worker.device,
        name=worker.model.device if worker.model else None,
        status=str(worker.state),
        running=worker.running,
        memory=_memory(worker),
        speed=SpeedAnswer(**asdict(worker.model.speed)) if worker.model else None,
        fp8=_fp8(worker.model) if worker.model else None,
        restarts=worker.restarts,
        **_loading(worker.loading),
        **_error(worker.load_error),
    )


def _memory(worker: WorkerStatus) -> WorkerMemoryAnswer | None:
    return WorkerMemoryAnswer(**asdict(worker.memory)) if worker.memory else None


def _loading(status: LoadingStatus | None) -> dict[str, Any]:
    """Return the `loading` field, or nothing if nothing loads, so that the answer omits the field."""
    if status is None:
        return {}
    is_known = status.total_bytes > 0
    loading = LoadingAnswer(
        stage=status.stage,
        name=status.name,
        done_bytes=status.done_bytes if is_known else None,
        total_bytes=status.total_bytes if is_known else None,
        seconds_left=None if status.seconds_left is None else round(status.seconds_left, 1),
    )
    return {"loading": loading}


def _for_tests(services: Services) -> dict[str, Any]:
    """Return the modes for tests that are on."""
    modes = {"rehearsal": services.settings.rehearsal, "fast": services.settings.fast}
    return {name: True for name, is_on in modes.items() if is_on}


def _error(load_error: str | None) -> dict[str, Any]:
    """Return the `error` field, or nothing if there is no error, so that the answer omits the field."""
    return {"error": load_error} if load_error else {}
