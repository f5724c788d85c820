"""Open every model of a set of files: headers read, modules on `meta`, no tensor read yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.ltx.build import build_module, use_fp8
from pipelines.ltx.fp8 import Fp8Mode, group_input_scales
from pipelines.ltx.progress import ByteCounter, OnProgress
from pipelines.ltx.streaming import part_bytes, weight_bytes
from pipelines.ltx.text_encoder import (
    TextEncoderSource,
    TextShape,
    TextWidth,
    open_text_encoder,
    validate_text_encoder,
)
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.memory import ComponentSize, Widths
from weights.checkpoint import Checkpoint
from weights.errors import UnsupportedError
from weights.header import read_header
from weights.load import load_module, validate_coverage, validate_match
from weights.names import NameMap
from weights.quantization import is_sidecar, validate_scales
from weights.source import Source, open_source, open_upsampler, open_video_vae

# In bfloat16 the waveform is 10.8 % off; the reference runs the vocoder in float32 too.
VOCODER_DTYPE = torch.float32


@dataclass(frozen=True)
class WeightFiles:
    """The files of a model.

    checkpoint: one file, BF16 or FP8; or the transformer alone, with its companions holding the rest; or a diffusers
    folder. upsampler: its file or folder; None runs a single stage. text_encoder: a Hugging Face folder with Gemma 3,
    or a single file, with its tokenizer unless `tokenizer` names another folder.
    """

    checkpoint: Path
    text_encoder: Path
    upsampler: Path | None = None
    companions: tuple[Path, ...] = ()
    tokenizer: Path | None = None


@dataclass(frozen=True)
class OpenModel:
    """A module on `meta` and the location of its tensors. `dtype` is that of its values outside FP8 layers."""

    module: nn.Module
    checkpoint: Checkpoint
    name_map: NameMap
    dtype: torch.dtype

    @property
    def stored_bytes(self) -> int:
        """Return the size of its tensors in the file."""
        tensors = self.checkpoint.tensors
        names = self.name_map.select(stored for stored in tensors if not is_sidecar(stored))
        return sum(tensors[stored].size_bytes for stored in names)


@dataclass(frozen=True)
class ShapedModels:
    """The models by component, without values.

    models: no `upsampler` with a single stage. dtype: that of every model but the vocoder.
    """

    models: Mapping[str, OpenModel]
    text: TextShape
    dtype: torch.dtype

    def sizes(self) -> dict[str, ComponentSize]:
        sizes = {name: _size(model.module, model.dtype.itemsize) for name, model in self.models.items()}
        return sizes | {"text_encoder": self.text.size(self.dtype.itemsize)}

    def widths(self) -> Widths:
        # Untyped: a Mapping of modules does not tell which one has which attributes.
        modules: dict[str, Any] = {name: model.module for name, model in self.models.items()}
        video_vae, config = modules["video_vae"], modules["transformer"].config
        return Widths(
            video=config.width,
            audio=config.audio_width,
            text=self.text.width.hidden_size,
            text_layers=self.text.width.num_layers,
            upsampler=modules["upsampler"].config.mid_channels if "upsampler" in modules else 0,
            encoder=video_vae.encoder.conv_in.conv.out_channels,
            decoder=video_vae.decoder.conv_out.conv.in_channels,
            vocoder=modules["vocoder"].config.hidden_channels,
            item_bytes=self.dtype.itemsize,
        )


@dataclass(frozen=True)
class OpenModels(ShapedModels):
    """Shaped models whose text encoder can be loaded, too."""

    text: TextEncoderSource

    def stored_bytes(self) -> int:
        """Return the size of everything that loading reads."""
        return self.text.stored_bytes + sum(model.stored_bytes for model in self.models.values())


def open_models(
    files: WeightFiles, dtype: torch.dtype, fp8: Fp8Mode, text_quantization: TextQuantization
) -> OpenModels:
    """Open all models. Raises WeightsError with the file's name if a file is wrong."""
    if not files.checkpoint.is_dir():
        read_header(files.checkpoint)  # If several files are wrong, name this one first.
    text = open_text_encoder(files.text_encoder, text_quantization, files.tokenizer)
    source = open_source(files.checkpoint, files.companions, text.width.hidden_size)
    validate_text_encoder(text, text_width(source))
    upsampler = None if files.upsampler is None else open_upsampler(files.upsampler)
    return OpenModels(open_components(source, upsampler, dtype, fp8), text, dtype)


def text_width(source: Source) -> TextWidth:
    """Return the width of the text encoder that the checkpoint was trained with."""
    caption = source.architecture["connectors"]
    return TextWidth(caption["caption_channels"], caption["text_proj_in_factor"] - 1)


def open_components(source: Source, upsampler: Source | None, dtype: torch.dtype, fp8: Fp8Mode) -> dict[str, OpenModel]:
    """Build the components. Raises WeightsError if tensors and modules do not match one to one."""
    validate_coverage(source.checkpoint, source.name_maps.values())
    validate_scales(source.checkpoint)
    models = {name: _open(name, source, dtype, fp8) for name in source.name_maps}
    return models if upsampler is None else models | {"upsampler": _open("upsampler", upsampler, dtype, fp8)}


def load_open_model(
    name: str, model: OpenModel, device: torch.device, on_progress: OnProgress, pin: bool = False
) -> None:
    counter = ByteCounter(name, model.stored_bytes, on_progress)
    load_module(model.module, model.checkpoint, model.name_map, device, model.dtype, counter, pin)
    group_input_scales(model.module)


def load_video_vae(path: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load the video VAE alone, from a checkpoint, a diffusers folder, or a file of its own. Raises WeightsError."""
    model = _open("video_vae", open_video_vae(path), dtype, Fp8Mode.DEQUANTIZE)
    load_open_model("video_vae", model, device, lambda component, done, total: None)
    return model.module


def _open(name: str, source: Source, dtype: torch.dtype, fp8: Fp8Mode) -> OpenModel:
    checkpoint, name_map = source.checkpoint, source.name_maps[name]
    module = _build(name, source)
    if name == "transformer":
        use_fp8(module, checkpoint, name_map, fp8)
    validate_match(module, checkpoint, name_map)
    return OpenModel(module, checkpoint, name_map, VOCODER_DTYPE if name == "vocoder" else dtype)


def _build(name: str, source: Source) -> nn.Module:
    try:
        return build_module(name, source.architecture[name])
    except (TypeError, ValueError, IndexError, ZeroDivisionError, RuntimeError) as exc:
        raise UnsupportedError(source.checkpoint.path, f"its config makes no {name} of LTX-2.3: {exc}") from exc


def _size(module: nn.Module, item_bytes: int) -> ComponentSize:
    return ComponentSize(weight_bytes(module, item_bytes), part_bytes(module, item_bytes))
