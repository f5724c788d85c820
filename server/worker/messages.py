"""Messages between the server and its workers. All are frozen, picklable and independent of torch.

Server to worker: WorkerConfig (first and once), then Generate, Prepare, Cancel, Watch, Unwatch and FindCut; closing the
pipe ends the worker. Worker to server: Loading, then Ready or LoadFailed; for each job Started, Progress, PreviewMade,
FragmentWritten, Decoded, then Done or Failed, which may come at any point; FoundCut for each FindCut, even during a
render; Memory every two seconds from the start: a silent worker is considered dead.
Pixels travel as files in the job's folder, except for previews.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pipelines.memory import ClipSize, MemoryPlan
from pipelines.prompt_cut import PromptCut
from pipelines.spec import GenerationSpec


@dataclass(frozen=True)
class WorkerConfig:
    """The settings of a worker. A `checkpoint` of None means the tiny model, which is written below `cache_dir`.

    device: `auto`, `cpu`, `cuda` or `cuda:N`.
    dtype: `auto` (bfloat16 on a GPU, float32 on a CPU), `bfloat16` or `float32`.
    companions: files of parts that the checkpoint lacks: video VAE, audio VAE, text projection.
    preview_vae: the file of a small decoder for previews. c2pa_certificate, c2pa_key: sign mp4 files; None: unsigned.
    fp8: `auto` (what is faster and fits), `scaled`, `scaled-all` or `dequantize`. fp8_fast_accum: whether FP8 layers
    may add products up in fewer bits than float32.
    text_encoder_quantization: `none` (as stored in the file), `8bit` or `4bit`.
    encoder: of mp4 clips, `auto`, `x264` or `nvenc`.
    memory: `auto`, `resident`, `balanced` or `low`. vram_bytes: device memory to use; None: all that is free.
    weights_dir: holds the record of verified files.
    speed: `eager`, `compile` or `graphs`. warmup: the sizes of clips to render before the worker is ready.
    fast: whether clips are rendered at a smaller size and stretched.
    with_loras: whether clips may have LoRAs. lora_paths: those to check when the model is loaded.
    """

    cache_dir: Path
    weights_dir: Path | None = None
    checkpoint: Path | None = None
    upsampler: Path | None = None
    text_encoder: Path | None = None
    text_encoder_quantization: str = "none"
    companions: tuple[Path, ...] = ()
    preview_vae: Path | None = None
    c2pa_certificate: Path | None = None
    c2pa_key: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    fp8: str = "auto"
    fp8_fast_accum: bool = False
    memory: str = "auto"
    vram_bytes: int | None = None
    stages: int = 2
    encoder: str = "auto"
    speed: str = "eager"
    warmup: tuple[ClipSize, ...] = ()
    fast: bool = False
    with_loras: bool = False
    lora_paths: tuple[Path, ...] = ()
    log_level: str = "INFO"
    log_format: str = "text"


@dataclass(frozen=True)
class Prepare:
    """Prepare the images of a job that still waits, in place of the one before. There is no answer.

    Generate may follow, here or to another worker, or Cancel, which drops what was prepared.
    """

    job_id: str
    spec: GenerationSpec


@dataclass(frozen=True)
class Generate:
    """Render a job. The one before has to be decoded, or to have ended.

    fragments: the file to which the clip is also written in fragments while it is decoded; None: to none.
    """

    job_id: str
    spec: GenerationSpec
    path: Path
    fragments: Path | None = None


@dataclass(frozen=True)
class Cancel:
    job_id: str


@dataclass(frozen=True)
class Watch:
    """Somebody watches this job: send previews of it until Unwatch. Comes after its Generate."""

    job_id: str


@dataclass(frozen=True)
class Unwatch:
    job_id: str


@dataclass(frozen=True)
class FindCut:
    """Ask whether the text encoder reads all of a prompt. number: identifies the query in its answer."""

    number: int
    prompt: str


@dataclass(frozen=True)
class FoundCut:
    """Answer to FindCut. cut: None if the text encoder reads all of the prompt."""

    number: int
    cut: PromptCut | None


@dataclass(frozen=True)
class SpeedInfo:
    """The speed in force. mode: `eager` if the transformer is streamed, whatever the settings say.

    compiled_blocks: of the transformer. warm_sizes: of the clips rendered before the worker was ready.
    """

    mode: str = "eager"
    compiled_blocks: int = 0
    warm_sizes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loading:
    """Loading progress of one component; sizes are 0 if they are unknown."""

    component: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class ModelInfo:
    """The loaded model and its device. size_bytes: parameters by dtype. fp8_linears: layers that multiply in FP8.

    fp8, fp8_reason: `scaled`, `scaled-all` or `dequantize`, and why.
    encoder: libav's name of the encoder of mp4 clips. plan: where the weights are, and which clips fit beside them.
    linears: the layers that LoRAs may change, as in `weights.lora`. warnings: notes about the files for the operator.
    """

    checkpoint: str
    is_tiny: bool
    device: str
    dtype: str
    size_bytes: Mapping[str, int] = field(default_factory=dict)
    fp8_linears: int = 0
    fp8: str = "dequantize"
    fp8_reason: str = ""
    encoder: str = "libx264"
    plan: MemoryPlan | None = None
    speed: SpeedInfo = SpeedInfo()
    linears: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    model: ModelInfo


@dataclass(frozen=True)
class LoadFailed:
    message: str


@dataclass(frozen=True)
class Memory:
    """Memory of the worker: resident on the host, and allocated on the GPU once its models are there.

    graphs, graph_bytes: the CUDA graphs that it keeps, and what they hold beside what is allocated.
    """

    resident_bytes: int
    device_allocated_bytes: int | None = None
    device_total_bytes: int | None = None
    graphs: int = 0
    graph_bytes: int = 0


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
class PreviewMade:
    """A preview of a job that is watched, after a step. data: an animated WebP of a few kilobytes."""

    job_id: str
    stage: str
    step: int
    steps: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class FragmentWritten:
    """The file in fragments of a job has grown to this size."""

    job_id: str
    size_bytes: int


@dataclass(frozen=True)
class Decoded:
    """The last frame of a job is decoded: the device is free for the next job while this one's file is finished."""

    job_id: str


@dataclass(frozen=True)
class Done:
    """A job is done. timings_s: encode, denoise, decode, mux. size_bytes: of the complete, verified file.

    peak_memory_bytes: the peak while it was on the device, weights included: what torch allocated on a GPU, else the
    worker's resident memory. None if the system does not report it.
    """

    job_id: str
    timings_s: Mapping[str, float]
    size_bytes: int
    peak_memory_bytes: int | None = None


class FailureKind(StrEnum):
    INVALID = "invalid"  # the request caused it, and the user can correct it
    CANCELLED = "cancelled"
    OUT_OF_MEMORY = "out of memory"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Failed:
    job_id: str
    kind: FailureKind
    message: str


ToWorker = Generate | Prepare | Cancel | Watch | Unwatch | FindCut
FromWorker = (
    Loading
    | Ready
    | LoadFailed
    | Memory
    | FoundCut
    | Started
    | Progress
    | PreviewMade
    | FragmentWritten
    | Decoded
    | Done
    | Failed
)
