"""Everything that crosses the pipe between the server and a worker. Frozen, picklable, free of torch.

Server to worker: WorkerConfig (once, first), then Generate, Cancel and FindCut; closing the pipe ends the worker.
Worker to server: Loading, then Ready or LoadFailed; for each job Started, Progress, then Done or Failed; FoundCut for
each FindCut, also while it renders; Memory every two seconds from the start: a silent worker is taken for dead.
Pixels cross as files in the job's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipelines.memory import MemoryPlan
from pipelines.prompt_cut import PromptCut
from pipelines.spec import GenerationSpec


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker loads. `checkpoint` None means the tiny model, written below `cache_dir`.

    device: `auto`, `cpu`, `cuda` or `cuda:N`.
    dtype: `auto` (bfloat16 on a GPU, float32 on a CPU), `bfloat16` or `float32`.
    companions: files of parts that the checkpoint does not hold: video VAE, audio VAE, text projection.
    fp8: `auto` (`scaled` on a card that multiplies FP8), `scaled` or `dequantize`.
    text_encoder_quantization: `none` (as the file has it), `8bit` or `4bit`.
    memory: `auto`, `resident`, `balanced` or `low`. vram_bytes: what may be used; None: what is free.
    weights_dir: where it is on record what was verified.
    """

    cache_dir: Path
    weights_dir: Path | None = None
    checkpoint: Path | None = None
    upsampler: Path | None = None
    text_encoder: Path | None = None
    text_encoder_quantization: str = "none"
    companions: tuple[Path, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    fp8: str = "auto"
    memory: str = "auto"
    vram_bytes: int | None = None
    stages: int = 2
    log_level: str = "INFO"
    log_format: str = "text"


@dataclass(frozen=True)
class Generate:
    job_id: str
    spec: GenerationSpec
    path: Path


@dataclass(frozen=True)
class Cancel:
    job_id: str


@dataclass(frozen=True)
class FindCut:
    """Ask whether the text encoder reads all of a prompt. number: of the question, for its answer."""

    number: int
    prompt: str


@dataclass(frozen=True)
class FoundCut:
    """cut: None where the text encoder reads all of the prompt."""

    number: int
    cut: PromptCut | None


@dataclass(frozen=True)
class Loading:
    """Of one component; bytes are 0 where they are not known."""

    component: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class ModelInfo:
    """What runs where. size_bytes: parameters by dtype. fp8_linears: layers that multiply in FP8.

    plan: where the weights are, and which clips fit beside them. warnings: what a person should know of the files.
    """

    checkpoint: str
    is_tiny: bool
    device: str
    dtype: str
    size_bytes: Mapping[str, int] = field(default_factory=dict)
    fp8_linears: int = 0
    plan: MemoryPlan | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    model: ModelInfo


@dataclass(frozen=True)
class LoadFailed:
    message: str


@dataclass(frozen=True)
class Memory:
    """Of the worker: resident in the host, and on the GPU once its models are there."""

    resident_bytes: int
    device_allocated_bytes: int | None = None
    device_total_bytes: int | None = None


@dataclass(frozen=True)
class Started:
    job_id: str


@dataclass(frozen=True)
class Progress:
    job_id: str
    stage: str
    step: int
    steps: int


@dataclass(frozen=True)
class Done:
    """timings_s: encode, denoise, decode, mux. size_bytes: of the file, which was whole when it was verified.

    peak_memory_bytes: the most that was taken while it was rendered, weights included: on a GPU what torch had
    allocated there, else the worker's resident memory. None where the system does not tell.
    """

    job_id: str
    timings_s: Mapping[str, float]
    size_bytes: int
    peak_memory_bytes: int | None = None


class FailureKind(StrEnum):
    INVALID = "invalid"  # the request's own doing, a person can mend it
    CANCELLED = "cancelled"
    OUT_OF_MEMORY = "out of memory"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Failed:
    job_id: str
    kind: FailureKind
    message: str


ToWorker = Generate | Cancel | FindCut
FromWorker = Loading | Ready | LoadFailed | Memory | FoundCut | Started | Progress | Done | Failed
