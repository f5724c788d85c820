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
from pipelines.ltx.text_encoder import TextWidth, load_text_encoder, open_text_encoder, validate_width
from pipelines.ltx.text_quantized import TextQuantization
from weights.checkpoint import Checkpoint
from weights.errors import UnsupportedError
from weights.load import load_module, validate_coverage
from weights.names import NameMap
from weights.quantization import fp8_weights, is_fp8, is_sidecar, validate_scales
from weights.source import Source, open_source, open_upsampler

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
    from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

# 10.8 % off in bfloat16; the reference runs it in float32 too.
VOCODER_DTYPE = torch.float32


@dataclass(frozen=True)
class WeightFiles:
    """checkpoint: one file, BF16 or FP8, or the transformer alone; then its companions hold what it does not. Or a
    diffusers folder.
    upsampler: its own file, or its folder; None runs a single stage only.
    text_encoder: a Hugging Face folder with Gemma 3, or a single file of it; with its tokenizer, unless that has a
    folder of its own.
    """

    checkpoint: Path
    text_encoder: Path
    upsampler: Path | None = None
    companions: tuple[Path, ...] = ()
    tokenizer: Path | None = None


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
    text = open_text_encoder(files.text_encoder, text_quantization, files.tokenizer)
    source = open_source(files.checkpoint, files.companions, text.width.hidden_size)
    caption = source.architecture["connectors"]
    validate_width(text, TextWidth(caption["caption_channels"], caption["text_proj_in_factor"] - 1))
    validate_coverage(source.checkpoint, source.name_maps.values())
    validate_scales(source.checkpoint)
    upsampler = None
    if files.upsampler is not None:
        upsampler = _load("upsampler", open_upsampler(files.upsampler), device, dtype, on_progress)
    modules = {}
    for name in source.name_maps:
        module_dtype = VOCODER_DTYPE if name == "vocoder" else dtype
        modules[name] = _load(name, source, device, module_dtype, on_progress, fp8)
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


def use_fp8(transformer: nn.Module, checkpoint: Checkpoint, name_map: NameMap) -> None:
    """FP8 where the file has it; a file without FP8 is quantised as the official one is."""
    stored = {name: weight for name, weight in fp8_weights(checkpoint).items() if not weight.dequantize}
    if stored:
        rename = name_map.rename
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
    source: Source,
    device: torch.device,
    dtype: torch.dtype,
    on_progress: OnProgress,
    fp8: Fp8Mode = Fp8Mode.DEQUANTIZE,
) -> nn.Module:
    checkpoint, name_map = source.checkpoint, source.name_maps[name]
    module = _build(name, source)
    if name == "transformer" and fp8 is Fp8Mode.SCALED:
        use_fp8(module, checkpoint, name_map)
    tensors = checkpoint.tensors
    names = name_map.select(published for published in tensors if not is_sidecar(published))
    counter = ByteCounter(name, sum(tensors[published].size_bytes for published in names), on_progress)
    load_module(module, checkpoint, name_map, device, dtype, counter)
    return module


def _build(name: str, source: Source) -> nn.Module:
    try:
        return build_module(name, source.architecture[name])
    except (TypeError, ValueError, IndexError, ZeroDivisionError, RuntimeError) as exc:
        raise UnsupportedError(source.checkpoint.path, f"its config makes no {name} of LTX-2.3: {exc}") from exc
