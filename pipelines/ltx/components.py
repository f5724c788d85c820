"""The models of LTX-2.3, loaded from files into memory. Knows which file holds what; the flow is in `pipeline`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from pipelines.ltx.text import PromptEncoder, TextWidth, load_text_encoder
from weights.architecture import read_architecture, upsampler_kwargs
from weights.header import Header, read_header
from weights.load import load_module, validate_coverage
from weights.names import ONE_FILE, UPSAMPLER, NameMap
from weights.stream import is_scale

if TYPE_CHECKING:
    from diffusers import AutoencoderKLLTX2Audio, AutoencoderKLLTX2Video, LTX2VideoTransformer3DModel
    from diffusers.pipelines.ltx2.latent_upsampler import LTX2LatentUpsamplerModel
    from diffusers.pipelines.ltx2.vocoder import LTX2VocoderWithBWE

# (component, bytes read so far, bytes in all)
OnProgress = Callable[[str, int, int], None]

# 10.8 % off in bfloat16; the reference runs it in float32 too.
VOCODER_DTYPE = torch.float32


@dataclass(frozen=True)
class WeightFiles:
    """checkpoint: the BF16 or scaled-FP8 one-file. upsampler: its own file; None runs a single stage only.
    text_encoder: a Hugging Face folder with Gemma 3 and its tokenizer."""

    checkpoint: Path
    text_encoder: Path
    upsampler: Path | None = None


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
) -> Components:
    """Raises WeightsError with the file's name when a file is not what it should be."""
    header = read_header(files.checkpoint)
    architecture = read_architecture(header)
    validate_coverage(header, ONE_FILE.values())
    upsampler = None
    if files.upsampler is not None:
        upsampler_header = read_header(files.upsampler)
        upsampler = build_module("upsampler", upsampler_kwargs(upsampler_header))
        counter = _ByteCounter("upsampler", _total_bytes(upsampler_header, UPSAMPLER), on_progress)
        load_module(upsampler, upsampler_header, UPSAMPLER, device, dtype, counter)
    modules = {}
    for name, name_map in ONE_FILE.items():
        modules[name] = build_module(name, getattr(architecture, name))
        counter = _ByteCounter(name, _total_bytes(header, name_map), on_progress)
        module_dtype = VOCODER_DTYPE if name == "vocoder" else dtype
        load_module(modules[name], header, name_map, device, module_dtype, counter)
    on_progress("text_encoder", 0, 0)
    connectors = modules.pop("connectors")
    text = architecture.connectors
    wanted = TextWidth(text["caption_channels"], text["text_proj_in_factor"] - 1)
    tokenizer, text_encoder = load_text_encoder(files.text_encoder, wanted, device, dtype)
    return Components(
        **modules,
        upsampler=upsampler,
        encode_prompt=PromptEncoder(tokenizer, text_encoder, connectors),
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


def _total_bytes(header: Header, name_map: NameMap) -> int:
    names = name_map.select(name for name in header.tensors if not is_scale(name))
    return sum(header.tensors[name].size_bytes for name in names)


class _ByteCounter:
    def __init__(self, component: str, total: int, on_progress: OnProgress) -> None:
        self._component, self._total, self._on_progress = component, total, on_progress
        self._done = 0

    def __call__(self, size_bytes: int) -> None:
        self._done += size_bytes
        self._on_progress(self._component, self._done, self._total)
