"""The stages of rendering a clip with the 22B model, recorded on `meta` by the calls that render one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import torch
from torch import nn

from pipelines.bench.cards import GB, Arithmetic, Card
from pipelines.bench.recording import Operation, record
from pipelines.direction import Retake
from pipelines.geometry import SPATIAL_COMPRESSION, LatentGrid, audio_latent_length, latent_grid, position_fps
from pipelines.ltx.audio_encode import MEL_BINS
from pipelines.ltx.build import officially_fp8
from pipelines.ltx.components import Components
from pipelines.ltx.conditioning import Conditioning, Picture
from pipelines.ltx.decode import MEL_PER_LATENT, chunk_bytes_for, decode_audio, kept_bytes, stream_decoder
from pipelines.ltx.fp8 import FP8, Fp8Mode, use_fp8_linears
from pipelines.ltx.frames import to_yuv420p
from pipelines.ltx.guided import EncodedGuidance
from pipelines.ltx.latents import denormalize_video, unpack_video
from pipelines.ltx.lora import Loras
from pipelines.ltx.models import ShapedModels
from pipelines.ltx.pipeline import upsample
from pipelines.ltx.plan import PlannedFiles, shape_models
from pipelines.ltx.prompt_keys import PromptKeys
from pipelines.ltx.sampling import denoise, prepare_audio, prepare_video
from pipelines.ltx.schedule import STAGE_1_SIGMAS, STAGE_2_SIGMAS
from pipelines.ltx.text import Context, PromptEncoder
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.ltx.transformer.model import Transformer
from pipelines.ltx.video_encode import encode_video
from pipelines.memory import PROMPT_ROWS, ClipSize, MemoryLevel, choose_plan
from pipelines.spec import GenerationSpec

META = torch.device("meta")


@dataclass(frozen=True)
class Stage:
    """A part of rendering a clip.

    copied_bytes: the weights that do not stay on the card. in_graphs: its operations if they are replayed from CUDA
    graphs, which keep nothing of a prompt; None if it is never compiled.
    """

    name: str
    operations: list[Operation]
    copied_bytes: int = 0
    in_graphs: list[Operation] | None = None


def shape_components(card: Card, arithmetic: Arithmetic, stages: int, memory: MemoryLevel | None) -> Components:
    """Build all models of the published size on `meta`, with the places that they would have on the card."""
    files = PlannedFiles(None, stages=stages)
    models = shape_models(files, torch.bfloat16, Fp8Mode.DEQUANTIZE, TextQuantization.NONE)
    modules: dict[str, Any] = {name: model.module for name, model in models.models.items()}
    use_arithmetic(modules["transformer"], arithmetic)
    for model in models.models.values():
        to_meta(model.module, model.dtype)
    plan = choose_plan(memory, models.sizes(), models.widths(), card.memory_gb * GB)
    tokenizer: Any = None  # nothing is tokenised: all prompts have the same rows
    connectors = modules.pop("connectors")
    encode_prompt = PromptEncoder(tokenizer, build_text_encoder(models), connectors, META)
    return Components(
        **({"upsampler": None} | modules),
        forward=modules["transformer"],
        encode_prompt=encode_prompt,
        plan=plan,
        loras=Loras(modules["transformer"], connectors, META, torch.bfloat16),
        device=META,
        dtype=torch.bfloat16,
    )


def use_arithmetic(transformer: Transformer, arithmetic: Arithmetic) -> None:
    names = [] if arithmetic is Arithmetic.BF16 else officially_fp8(transformer)
    if arithmetic is Arithmetic.FP8_ALL_BLOCKS:
        linears = (name for name, module in transformer.named_modules() if isinstance(module, nn.Linear))
        names = [f"{name}.weight" for name in linears if name.startswith("transformer_blocks.")]
    use_fp8_linears(transformer, names, names if arithmetic is Arithmetic.FP8_STATIC else ())


def to_meta(module: nn.Module, dtype: torch.dtype) -> None:
    """Move what has values to `meta`, and give the weights the dtypes with which they are loaded."""

    def move(tensor: torch.Tensor) -> torch.Tensor:
        # FP8 weights stay, and so do the float32 scales, which have no dimensions.
        keeps_dtype = tensor.dtype == FP8 or not tensor.is_floating_point() or not tensor.dim()
        return tensor.to(META, tensor.dtype if keeps_dtype else dtype)

    module._apply(move)  # type: ignore[no-untyped-call]
    module.eval().requires_grad_(False)


def build_text_encoder(models: ShapedModels) -> nn.Module:
    from transformers import Gemma3TextModel

    with META:
        model: nn.Module = Gemma3TextModel(models.text.config)
    to_meta(model, models.dtype)
    return model


def record_stages(components: Components, spec: GenerationSpec) -> Iterator[Stage]:
    """Yield the stages of rendering a clip with a new prompt, in order."""
    clip = replace(ClipSize.of(spec), lora_bytes=components.loras.kept_bytes)
    plan = components.plan
    components.prompt_keys.limit(plan.spare_bytes(clip, plan.kept(clip)))
    grid = latent_grid(spec)
    first_grid = latent_grid(spec, downscale=2) if spec.stages == 2 else grid
    text_bytes = plan.copied_bytes(clip, steps=0)
    step_bytes = plan.copied_bytes(clip, steps=1) - text_bytes

    blocks = keep_distinct_blocks(components.transformer)
    encoder, connectors = components.encode_prompt.modules
    yield Stage("text", record(lambda: encode_text(encoder, connectors)), text_bytes)
    if spec.keyframes:
        yield Stage("images", record(lambda: encode_images(components, spec, {first_grid, grid})))
    if spec.sound is not None:
        yield Stage("given sound", record(lambda: encode_mel(components, spec)))
    if spec.source is not None:
        yield Stage("given clip", record(lambda: encode_clip(components, spec, {first_grid, grid})))
    stages = [("stage 1", first_grid, STAGE_1_SIGMAS), ("stage 2", grid, STAGE_2_SIGMAS)][: spec.stages]
    context, guidance = empty_context(components.transformer), None
    if spec.effective_guidance is not None:
        negative = empty_context(components.transformer)
        guidance = EncodedGuidance(negative, zeros(3, dtype=torch.float32), spec.effective_guidance.audio)
    for name, stage_grid, sigmas in stages:
        if name == "stage 2":
            yield Stage("upsample", record(lambda: upsample(components, latents(first_grid), first_grid)), False)
        call = denoising(components, spec, stage_grid, sigmas, context, guidance)
        in_graphs = None
        if "transformer" not in plan.streamed:
            forgetful = replace(components, prompt_keys=PromptKeys())
            in_graphs = record(denoising(forgetful, spec, stage_grid, sigmas, context, guidance), blocks)
        yield Stage(name, record(call, blocks), step_bytes * (len(sigmas) - 1), in_graphs)
    if spec.renders_sound:
        sound = zeros(1, audio_latent_length(spec), components.transformer.config.audio_in_channels)
        yield Stage("sound", record(lambda: decode_audio(sound, components.audio_vae, components.vocoder)))
    yield Stage("decode", record(lambda: decode(components, unpack_video(latents(grid), grid))))


def keep_distinct_blocks(transformer: Transformer) -> dict[nn.Module, int]:
    """Keep one of the blocks that have the same kinds of layers; return how many blocks each one stands for."""
    blocks = transformer.transformer_blocks
    kinds = [tuple((type(layer), layer.extra_repr()) for layer in block.modules()) for block in blocks]
    distinct = dict(zip(kinds, blocks, strict=True))
    transformer.transformer_blocks = nn.ModuleList(distinct.values())
    return {block: kinds.count(kind) for kind, block in distinct.items()}


def encode_text(encoder: nn.Module, connectors: nn.Module) -> None:
    rows = torch.zeros(1, PROMPT_ROWS, device=META, dtype=torch.long)
    # Masks depend on values, which `meta` does not have.
    masks = {"full_attention": None, "sliding_attention": None}
    output = encoder(rows, attention_mask=masks, output_hidden_states=True, use_cache=False)
    connectors(torch.stack(output.hidden_states, dim=-1), rows)


def encode_images(components: Components, spec: GenerationSpec, grids: Iterable[LatentGrid]) -> None:
    for keyframe in spec.keyframes:
        picture = Picture(keyframe, {grid: zeros(1, 3, *pixels(grid), dtype=torch.float32) for grid in grids})
        for grid in grids:
            picture.encode(components.video_vae, grid, META)


def encode_mel(components: Components, spec: GenerationSpec) -> None:
    mel = zeros(1, 2, MEL_PER_LATENT * audio_latent_length(spec) + 1, MEL_BINS)
    components.audio_vae.encode(mel).latent_dist.mode()


def encode_clip(components: Components, spec: GenerationSpec, grids: Iterable[LatentGrid]) -> None:
    """Encode the frames of the clip that is retaken or continued, and their sound."""
    assert spec.source is not None
    for grid in grids:
        count = spec.num_frames if isinstance(spec.source, Retake) else spec.source.context_frames
        frames = repeat(zeros(3, *pixels(grid), dtype=torch.float32), count)
        encode_video(frames, components.video_vae, META)
    encode_mel(components, spec)


def denoising(
    components: Components,
    spec: GenerationSpec,
    grid: LatentGrid,
    sigmas: tuple[float, ...],
    context: Context,
    guidance: EncodedGuidance | None,
) -> Callable[[], object]:
    tokens = zeros(1, grid.tokens_per_frame, 128, dtype=torch.float32)
    images = [Conditioning(keyframe.frame_idx, keyframe.strength, tokens) for keyframe in spec.keyframes]
    video = prepare_video(grid, position_fps(spec.frame_rate), images, latents(grid))
    audio = prepare_audio(zeros(1, audio_latent_length(spec), 128, dtype=torch.float32))
    keys = components.prompt_keys
    return lambda: denoise(
        components.transformer, components.forward, video, audio, context, sigmas, lambda _: None, keys, guidance
    )


def decode(components: Components, latent: torch.Tensor) -> None:
    """Decode as `decode_video` does, on a card that has all the memory free that the plan leaves."""
    vae = components.video_vae
    scaled = denormalize_video(latent, vae).to(vae.dtype)
    free = components.plan.capacity_bytes - components.plan.resident_bytes
    for chunk in stream_decoder(vae.decoder, scaled, chunk_bytes_for(free, kept_bytes(scaled, vae))):
        to_yuv420p(chunk)


def empty_context(transformer: Transformer) -> Context:
    config = transformer.config
    return Context(
        *(zeros(1, PROMPT_ROWS, width) for width in (config.cross_attention_dim, config.audio_cross_attention_dim))
    )


def latents(grid: LatentGrid) -> torch.Tensor:
    return zeros(1, grid.tokens, 128, dtype=torch.float32)


def pixels(grid: LatentGrid) -> tuple[int, int]:
    return grid.height * SPATIAL_COMPRESSION, grid.width * SPATIAL_COMPRESSION


def zeros(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.zeros(shape, device=META, dtype=dtype)
