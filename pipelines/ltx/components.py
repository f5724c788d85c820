"""Load the models of LTX-2.3, each to where the memory plan puts it."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.graphs import StepGraphs
from pipelines.ltx.lora import Loras, OpenLora
from pipelines.ltx.models import OpenModels, WeightFiles, load_open_model, open_models
from pipelines.ltx.progress import OnProgress, WholeProgress
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.streaming import StreamedModel
from pipelines.ltx.text import PromptEncoder
from pipelines.ltx.text_encoder import load_text_encoder
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.ltx.transformer.model import Forward, Transformer
from pipelines.memory import (
    FLOAT32_BYTES,
    RESERVED_BYTES,
    SMALLEST_CLIP,
    ClipSize,
    ComponentSize,
    MemoryLevel,
    MemoryPlan,
    choose_plan,
    fits_unstreamed,
)
from pipelines.spec import GenerationSpec
from weights.errors import UnsupportedError

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
    from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

HOST = torch.device("cpu")

# The share of the available host memory that LoRAs may take while they are not in use.
LORA_CACHE_SHARE = 1 / 8


@dataclass(frozen=True)
class Components:
    """All models that `generate` uses.

    forward: the transformer's, or what computes the same faster. graphs: those that `forward` replays, if it does.
    dtype: that of every model except the vocoder, which is float32. streams: the models whose weights are streamed.
    max_decoded_audio_latents: as in `decode_audio`.
    """

    transformer: Transformer
    forward: Forward
    encode_prompt: PromptEncoder
    video_vae: "AutoencoderKLLTX2Video"
    audio_vae: "AutoencoderKLLTX2Audio"
    vocoder: "LTX2VocoderWithBWE"
    upsampler: "LTX2LatentUpsamplerModel | None"
    plan: MemoryPlan
    loras: Loras
    device: torch.device
    dtype: torch.dtype
    streams: Mapping[str, StreamedModel] = field(default_factory=dict)
    prompt_keys: PromptKeys = field(default_factory=PromptKeys)
    graphs: StepGraphs | None = None
    max_decoded_audio_latents: int | None = None

    @property
    def kept_bytes(self) -> int:
        """Return the device memory of what is kept for later clips, beside the weights."""
        graph_bytes = 0 if self.graphs is None else self.graphs.kept_bytes
        return self.prompt_keys.kept_bytes + graph_bytes + self.loras.kept_bytes

    def clip_size(self, spec: GenerationSpec) -> ClipSize:
        """Return what determines the memory of a clip. Raises SpecError if a LoRA cannot be used."""
        return self._clip_size(spec, self.loras.open(spec.loras))

    def begin(self, spec: GenerationSpec) -> None:
        """Give the model the LoRAs of a clip, and keep on the device what fits beside it. Raises SpecError."""
        loras = self.loras.open(spec.loras)
        self.loras.release(unless=loras)
        self._make_room(self._clip_size(spec, loras))
        self.loras.use(loras)
        self.prompt_keys.use_loras(self.loras.key)
        self.encode_prompt.connectors_key = self.loras.connectors_key
        if self.graphs is not None:
            self.graphs.variant = self.loras.slots_number if loras else None

    def _clip_size(self, spec: GenerationSpec, loras: tuple[OpenLora, ...]) -> ClipSize:
        names = tuple(lora.name for lora in spec.loras if lora.strength)
        return replace(ClipSize.of(spec), lora_bytes=self.loras.size_bytes(loras), lora_names=names)

    def _make_room(self, clip: ClipSize) -> None:
        """Keep what fits: of the streamed models, of the last prompt or the graphs, and of what LoRAs are copied to.

        Graphs compute a prompt's keys and values themselves.
        """
        kept = self.plan.kept(clip)
        spare_bytes = self.plan.spare_bytes(clip, kept)
        if not clip.lora_bytes and self.loras.kept_bytes:
            spare_bytes -= self.loras.kept_bytes
            if spare_bytes < 0:
                spare_bytes += self.loras.kept_bytes
                self.loras.drop_slots()
        if self.graphs is None:
            self.prompt_keys.limit(spare_bytes)
        else:
            self.graphs.drop_other_variants(None, self.loras.slots_number)
            self.graphs.limit(spare_bytes)
        for name, count in kept.items():
            self.streams[name].keep(count)

    def modules(self) -> Iterator[nn.Module]:
        """Yield every model, including those of the prompt encoder."""
        yield from (self.transformer, self.video_vae, self.audio_vae, self.vocoder)
        yield from self.encode_prompt.modules
        if self.upsampler is not None:
            yield self.upsampler


def load_components(
    files: WeightFiles,
    device: torch.device,
    dtype: torch.dtype,
    on_progress: OnProgress = lambda component, done, total: None,
    fp8: Fp8Mode = Fp8Mode.DEQUANTIZE,
    text_quantization: TextQuantization = TextQuantization.NONE,
    memory: MemoryLevel | None = MemoryLevel.RESIDENT,
    capacity_bytes: int = sys.maxsize,
    host_bytes: int = sys.maxsize,
) -> Components:
    """Load every model. `memory` is as in `choose_plan`; `on_progress` counts the bytes of all models together.

    capacity_bytes: what the device offers for the models and their clips. host_bytes: what the host offers for weights
    that are streamed.
    Raises WeightsError with the file's name if a file is wrong, and before any tensor is read if the models do not fit.
    """
    compute_exact_float32()
    opened = open_models(files, dtype, fp8, text_quantization)
    plan = choose_plan(memory, sizes_on(device, opened), opened.widths(), capacity_bytes)
    validate_room(plan, files.checkpoint)
    validate_host_room(plan, files.checkpoint, host_bytes)
    # Straight to where they stay: the device, or the pinned host memory from which they are streamed.
    places = {name: HOST if name in plan.streamed else device for name in plan.components}
    progress = WholeProgress(opened.stored_bytes(), on_progress)
    modules: dict[str, Any] = {}
    for name, model in opened.models.items():
        load_open_model(name, model, places[name], progress, pin=name in plan.streamed)
        modules[name] = model.module
    modules["text_encoder"] = load_text_encoder(
        opened.text, places["text_encoder"], dtype, progress, pin="text_encoder" in plan.streamed
    )
    streams = {name: StreamedModel(modules[name], device) for name in plan.streamed}
    connectors = modules.pop("connectors")
    encode_prompt = PromptEncoder(opened.text.tokenizer, modules.pop("text_encoder"), connectors, device)
    # A CPU's clips need the same memory.
    cache_bytes = 0 if device.type == "cpu" else round(LORA_CACHE_SHARE * host_bytes)
    return Components(
        **({"upsampler": None} | modules),
        forward=modules["transformer"],
        encode_prompt=encode_prompt,
        plan=plan,
        loras=Loras(modules["transformer"], connectors, device, dtype, cache_bytes),
        device=device,
        dtype=dtype,
        streams=streams,
    )


def fits_plain(
    files: WeightFiles,
    device: torch.device,
    dtype: torch.dtype,
    text_quantization: TextQuantization,
    memory: MemoryLevel | None,
    capacity_bytes: int,
) -> bool:
    """Return what `fits_unstreamed` says of these files without FP8 layers. Reads headers alone."""
    opened = open_models(files, dtype, Fp8Mode.DEQUANTIZE, text_quantization)
    return fits_unstreamed(memory, sizes_on(device, opened), opened.widths(), capacity_bytes)


def sizes_on(device: torch.device, models: OpenModels) -> dict[str, ComponentSize]:
    """Return the sizes of the weights. A CPU has no second memory from which they could be streamed."""
    sizes = models.sizes()
    return {name: ComponentSize(size.size_bytes) for name, size in sizes.items()} if device.type == "cpu" else sizes


def compute_exact_float32() -> None:
    """Keep float32 from being rounded to TF32's 10 bits on a card: torch's default for convolutions.

    The vocoder is float32 because less is not enough.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def validate_room(plan: MemoryPlan, checkpoint: Path) -> None:
    """Raise UnsupportedError if not even the smallest clip would fit."""
    needed = plan.peak_bytes(SMALLEST_CLIP) + RESERVED_BYTES
    if needed > plan.capacity_bytes:
        raise UnsupportedError(checkpoint, f"needs {needed / 1e9:.1f} GB of memory with --memory {plan.level}, "
                                           f"{plan.capacity_bytes / 1e9:.1f} GB are there; {advice(plan)}")  # fmt: skip


def validate_host_room(plan: MemoryPlan, checkpoint: Path, host_bytes: int) -> None:
    """Raise UnsupportedError if the weights that are streamed do not fit into host memory."""
    if plan.host_bytes > host_bytes:
        raise UnsupportedError(
            checkpoint,
            f"needs {plan.host_bytes / 1e9:.1f} GB of pinned host memory with --memory {plan.level}, "
            f"{host_bytes / 1e9:.1f} GB are available; a text encoder of 4 bits needs none (--text-encoder "
            "gemma-bnb-4bit)",
        )


def advice(plan: MemoryPlan) -> str:
    if not plan.can_stream:
        half = ", or --dtype bfloat16, which takes half" if plan.widths.item_bytes == FLOAT32_BYTES else ""
        return f"more memory is needed{half}"
    if plan.level is not MemoryLevel.LOW:
        return "try --memory low, or --memory auto, which chooses"
    return "a larger device is needed"
