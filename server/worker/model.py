"""Load the model that a WorkerConfig names. Used by the worker process and by `ltx23 generate`; imports torch."""

import gc
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from pipelines.errors import OutOfMemory, ProvenanceError
from pipelines.fast import fast_spec, prepare_fast_pictures
from pipelines.finishing import Finishing
from pipelines.ltx.components import Components, fits_plain, load_components
from pipelines.ltx.conditioning import Picture
from pipelines.ltx.fp8 import Fp8Linear, resolve_fp8_mode, use_fast_accumulation
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import prepare_pictures
from pipelines.ltx.progress import OnProgress
from pipelines.ltx.speed import Speed, possible_speed
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.ltx.trace import Trace
from pipelines.media.codecs import FAST_X264, X264, Codec
from pipelines.media.fragments import Fragments
from pipelines.media.probe import ClipInfo
from pipelines.media.provenance import Signer
from pipelines.memory import ClipSize, MemoryLevel
from pipelines.render import start_render
from pipelines.spec import GenerationSpec
from server.worker.available_memory import available_host_bytes
from server.worker.device import DeviceError, limit_memory, resolve_capacity, resolve_device, unusable_card
from server.worker.encoder import resolve_h264
from server.worker.memory import host_memory
from server.worker.messages import Memory, ModelInfo, SpeedInfo, WorkerConfig
from server.worker.speed import accelerate, resolve_speed, size_name, speed_warnings, warm_up
from weights.errors import WeightsError
from weights.folder import OwnParts, find_own_parts
from weights.lookalike import find_lookalike
from weights.store import Store
from weights.tiny import tiny_files


class ConfigError(WeightsError):
    """The settings name no model that can be loaded here."""


@dataclass(frozen=True)
class Model:
    """A loaded model. fast: whether clips are rendered at `fast_size`."""

    components: Components
    info: ModelInfo
    h264: Codec = X264
    fast: bool = False
    signer: Signer | None = None

    def render(self, spec: GenerationSpec, path: Path, trace: Trace) -> dict[str, float]:
        """Render a clip and return its timings in seconds. Raises PipelineError.

        After OutOfMemory, the memory that the clip used is free again.
        """
        with Finishing() as finishing:
            return self.start(spec, path, trace, finishing).result()[1]

    def start(
        self,
        spec: GenerationSpec,
        path: Path,
        trace: Trace,
        finishing: Finishing,
        pictures: Sequence[Picture] | None = None,
        fragments: Fragments | None = None,
    ) -> Future[tuple[ClipInfo, dict[str, float]]]:
        """Render a clip as `pipelines.render.start_render` does. Raises PipelineError, as does the future.

        After OutOfMemory, the memory that the clip used is free again.
        """
        self.components.plan.validate(self.components.clip_size(fast_spec(spec) if self.fast else spec))
        try:
            return start_render(
                *(self.components, spec, path, trace, finishing, pictures, self.h264, self.fast, fragments),
                sign=None if self.signer is None else self.signer.sign,
            )
        except (torch.OutOfMemoryError, MemoryError):
            pass
        # Not in the except block: there the exception's traceback still keeps the tensors alive.
        gc.collect()
        if self.components.device.type == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemory.of(ClipSize.of(spec))

    def prepare_pictures(self, spec: GenerationSpec, on_picture: Callable[[], None]) -> Sequence[Picture]:
        """Prepare the images of a clip for `start`, in any thread. Raises ImageError, or what `on_picture` raises."""
        prepare = prepare_fast_pictures if self.fast else prepare_pictures
        return prepare(spec, on_picture)

    def memory(self) -> Memory:
        """Return the memory in use. Raises RuntimeError if the device reports an error."""
        host = host_memory()
        if self.components.device.type != "cuda":
            return host
        _, total = torch.cuda.mem_get_info(self.components.device)
        allocated, graphs = torch.cuda.memory_allocated(self.components.device), self.components.graphs
        kept = {} if graphs is None else {"graphs": len(graphs), "graph_bytes": graphs.kept_bytes}
        return Memory(host.resident_bytes, allocated, total, **kept)


def load_model(config: WorkerConfig, on_progress: OnProgress) -> Model:
    """Load the model. Raises WeightsError if a file is wrong or missing, or the device does not exist."""
    device = resolve_device(config.device)
    warnings = validate_card(config, device)
    h264 = resolve_h264(config.encoder, device)
    if config.fast and h264 is X264:
        h264 = FAST_X264
    signer = resolve_signer(config)
    dtype = resolve_dtype(config.dtype, device)
    speed = resolve_speed(config.speed, device, config.cache_dir)
    files = resolve_files(config)
    limit_memory(device, config.vram_bytes)
    text_quantization = TextQuantization(config.text_encoder_quantization)
    memory = None if config.memory == "auto" else MemoryLevel(config.memory)
    capacity_bytes = resolve_capacity(device, config.vram_bytes)
    fits = partial(fits_plain, files, device, dtype, text_quantization, memory, capacity_bytes)
    fp8 = resolve_fp8_mode(config.fp8, device, speed is not Speed.EAGER, fits)
    host_bytes = available_host_bytes()
    loaded = load_components(
        files, device, dtype, on_progress, fp8.mode, text_quantization, memory, capacity_bytes, host_bytes
    )
    if config.fp8_fast_accum:
        use_fast_accumulation(loaded.transformer)
    loaded.loras.validate(config.lora_paths)
    components = accelerate(loaded, speed, config.with_loras, on_progress)
    info = ModelInfo(
        checkpoint=files.checkpoint.absolute().name,
        is_tiny=config.checkpoint is None,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        dtype=str(dtype).removeprefix("torch."),
        size_bytes=_size_by_dtype(components),
        fp8_linears=sum(isinstance(module, Fp8Linear) for module in components.transformer.modules()),
        fp8=fp8.mode.value,  # the server has no torch, which the type imports
        fp8_reason=fp8.reason,
        encoder=h264.encoder,
        plan=replace(components.plan, is_fast=config.fast),
        speed=describe_speed(components, speed, config.warmup),
        linears=components.loras.linears,
        warnings=warnings + find_warnings(config, files) + speed_warnings(components, speed),
    )
    model = Model(components, info, h264, config.fast, signer)
    warm_up(model.render, config.warmup, config.stages, on_progress)
    return model


def resolve_signer(config: WorkerConfig) -> Signer | None:
    """Return what signs clips, if the settings name a key. Raises ConfigError."""
    if config.c2pa_certificate is None or config.c2pa_key is None:
        return None
    try:
        return Signer(config.c2pa_certificate, config.c2pa_key)
    except ProvenanceError as exc:
        raise ConfigError(str(exc)) from exc


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def resolve_files(config: WorkerConfig) -> WeightFiles:
    """Return the tiny model's files if no checkpoint is set, else the checkpoint and the parts it needs.

    Raises ConfigError if a part that the checkpoint does not contain is not named.
    """
    if config.checkpoint is None:
        tiny = tiny_files(config.cache_dir)
        return WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler if config.stages == 2 else None)
    own = find_own_parts(config.checkpoint)
    text_encoder, tokenizer = _resolve_text_encoder(config, own)
    upsampler = config.upsampler or own.upsampler
    if upsampler is None and config.stages == 2:
        raise ConfigError("two stages need --upscaler, the file of the x2 latent upsampler; or set --stages 1")
    used_upsampler = upsampler if config.stages == 2 else None
    return WeightFiles(config.checkpoint, text_encoder, used_upsampler, config.companions, tokenizer)


def validate_card(config: WorkerConfig, device: torch.device) -> tuple[str, ...]:
    """Return a warning if `auto` fell back to the CPU although there is a card.

    Raises DeviceError unless it is the tiny model: the published weights would take 141 GB in float32.
    """
    problem = unusable_card() if config.device == "auto" and device.type == "cpu" else None
    if problem and config.checkpoint is not None:
        raise DeviceError(problem)
    return (problem,) if problem else ()


def find_warnings(config: WorkerConfig, files: WeightFiles) -> tuple[str, ...]:
    """Return warnings about files that load but are not what they appear to be."""
    if config.weights_dir is None or files.upsampler is None:
        return ()
    found = find_lookalike(files.upsampler, Store(config.weights_dir))
    return () if found is None else (found,)


def _resolve_text_encoder(config: WorkerConfig, own: OwnParts) -> tuple[Path, Path | None]:
    """Return the text encoder's path and its tokenizer's folder, which is None if the text encoder holds it."""
    if config.text_encoder is not None:
        return config.text_encoder, None
    if own.text_encoder is None:
        raise ConfigError("a checkpoint needs its text encoder: --text-encoder, the folder or file of Gemma 3 12B")
    if own.tokenizer is None:
        raise ConfigError(f"{config.checkpoint}: holds no tokenizer/ for its text_encoder/; download it again")
    return own.text_encoder, own.tokenizer


def describe_speed(components: Components, speed: Speed, warm: Sequence[ClipSize]) -> SpeedInfo:
    in_force = possible_speed(components, speed)
    compiled_blocks = 0 if in_force is Speed.EAGER else components.transformer.config.num_layers
    return SpeedInfo(in_force.value, compiled_blocks, tuple(map(size_name, warm)))


def _size_by_dtype(components: Components) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    for module in components.modules():
        for tensor in module.parameters():
            sizes[str(tensor.dtype).removeprefix("torch.")] += tensor.numel() * tensor.element_size()
    return dict(sizes)
