"""The models of LTX-2.3, loaded from files into memory. Knows which file holds what; the flow is in `pipeline`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipelines.ltx.fp8 import Fp8Mode, use_fp8_linears
from pipelines.ltx.progress import ByteCounter, OnProgress
from pipelines.ltx.text import PromptEncoder
from pipelines.ltx.text_encoder import TextWidth, load_text_encoder, open_text_encoder, validate_text_encoder
from pipelines.ltx.text_quantized import TextQuantization
from weights.architecture import read_architecture, upsampler_kwargs
from weights.checkpoint import Checkpoint, open_checkpoint, open_single
from weights.header import read_header
from weights.load import load_module, validate_coverage
from weights.names import ONE_FILE, UPSAMPLER, NameMap
from weights.quantization import fp8_weights, is_fp8, is_sidecar, validate_scales

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
    from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

# 10.8 % off in bfloat16; the reference runs it in float32 too.
VOCODER_DTYPE = torch.float32


@dataclass(frozen=True)
class WeightFiles:
    """checkpoint: one file, BF16 or FP8, or the transformer alone; then its companions hold what it does not.
    upsampler: its own file; None runs a single stage only.
    text_encoder: a Hugging Face folder with Gemma 3 and its tokenizer, or a single file of it.
    """

    checkpoint: Path
    text_encoder: Path
    upsampler: Path | None = None
    companions: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Components:
    """Everything `generate` computes with. `dtype` is that of the models, except the float32 vocoder."""

    transformer: "LTX2VideoTransformer3DModel"
    encode_prompt: PromptEncoder
    video_vae: "AutoencoderKLLTX2Video"
    audio_vae: "AutoencoderKLLTX2Audio"
    vocoder: "LTX2VocoderWithBWE"
    upsampler: "LTX2LatentUpsamplerModel | None"
    device: torch.device
    dtype: torch.dtype

    def modules(self) -> Iterator[nn.Module]:
        """Every model, those of the prompt encoder included."""
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
) -> Components:
    """Raises WeightsError with the file's name when a file is not what it should be."""
    headers = [read_header(path) for path in (files.checkpoint, *files.companions)]
    text = open_text_encoder(files.text_encoder, text_quantization)
    checkpoint = open_checkpoint(headers[0], headers[1:], caption_channels=text.width.hidden_size)
    architecture = read_architecture(checkpoint)
    caption = architecture.connectors
    validate_text_encoder(text, TextWidth(caption["caption_channels"], caption["text_proj_in_factor"] - 1))
    validate_coverage(checkpoint, ONE_FILE.values())
    validate_scales(checkpoint)
    upsampler = None
    if files.upsampler is not None:
        header = read_header(files.upsampler)
        upsampler = build_module("upsampler", upsampler_kwargs(header))
        _load("upsampler", upsampler, open_single(header), UPSAMPLER, device, dtype, on_progress)
    modules = {}
    for name, name_map in ONE_FILE.items():
        modules[name] = build_module(name, getattr(architecture, name))
        if name == "transformer" and fp8 is Fp8Mode.SCALED:
            use_fp8(modules[name], checkpoint)
        module_dtype = VOCODER_DTYPE if name == "vocoder" else dtype
        _load(name, modules[name], checkpoint, name_map, device, module_dtype, on_progress)
    connectors = modules.pop("connectors")
    text_encoder = load_text_encoder(text, device, dtype, on_progress)
    return Components(
        **modules,
        upsampler=upsampler,
        encode_prompt=PromptEncoder(text.tokenizer, text_encoder, connectors),
        device=device,
        dtype=dtype,
    )


def build_module(component: str, kwargs: dict[str, Any]) -> nn.Module:
    """On `meta`, but for the non-persistent buffers, which no file holds."""
    with _meta_parameters():
        return _model_class(component)(**kwargs)


def _model_class(component: str) -> Callable[..., nn.Module]:
    """The model modules alone: diffusers' pipelines take many seconds to import."""
    if component == "transformer":
        from diffusers.models.transformers.transformer_ltx2 import LTX2VideoTransformer3DModel as Model
    elif component == "connectors":
        from diffusers.pipelines.ltx2.connectors import LTX2TextConnectors as Model
    elif component == "video_vae":
        from diffusers.models.autoencoders.autoencoder_kl_ltx2 import AutoencoderKLLTX2Video as Model
    elif component == "audio_vae":
        from diffusers.models.autoencoders.autoencoder_kl_ltx2_audio import AutoencoderKLLTX2Audio as Model
    elif component == "vocoder":
        from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE as Model
    else:
        from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel as Model
    return Model  # type: ignore[no-any-return]


@contextmanager
def _meta_parameters() -> Iterator[None]:
    from accelerate import init_empty_weights

    with init_empty_weights(include_buffers=False):
        yield


def use_fp8(transformer: nn.Module, checkpoint: Checkpoint) -> None:
    """FP8 where the file has it; a file without FP8 is quantised as the official one is."""
    stored = {name: weight for name, weight in fp8_weights(checkpoint).items() if not weight.dequantize}
    if stored:
        rename = ONE_FILE["transformer"].rename
        static = [rename(name) for name, weight in stored.items() if weight.input_scale is not None]
        use_fp8_linears(transformer, [rename(name) for name in stored], static)
    elif not any(is_fp8(info) for info in checkpoint.tensors.values()):
        use_fp8_linears(transformer, officially_fp8(transformer), static=())


def officially_fp8(transformer: nn.Module) -> list[str]:
    """The choice of ltx-2.3-22b-distilled-fp8: every Linear of the blocks but the first four and the last."""
    last = sum(1 for _ in transformer.get_submodule("transformer_blocks").children()) - 1
    chosen = re.compile(r"transformer_blocks\.(\d+)\.")
    linears = (name for name, module in transformer.named_modules() if isinstance(module, nn.Linear))
    return [f"{name}.weight" for name in linears if (match := chosen.match(name)) and 4 <= int(match[1]) < last]


def _load(
    name: str,
    module: nn.Module,
    checkpoint: Checkpoint,
    name_map: NameMap,
    device: torch.device,
    dtype: torch.dtype,
    on_progress: OnProgress,
) -> None:
    tensors = checkpoint.tensors
    names = name_map.select(published for published in tensors if not is_sidecar(published))
    counter = ByteCounter(name, sum(tensors[published].size_bytes for published in names), on_progress)
    load_module(module, checkpoint, name_map, device, dtype, counter)
