"""Load Gemma 3 as LTX-2.3's text encoder: its text model alone, from a Hugging Face folder or from one file.

The kind of folder or file is checked before any weights are read. Plain and FP8 weights are read tensor by tensor,
straight to the device; transformers and bitsandbytes read 8- and 4-bit weights, in `text_quantized`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from pipelines.ltx.progress import ByteCounter, OnProgress
from pipelines.ltx.streaming import part_bytes, weight_bytes
from pipelines.ltx.text_config import NEEDED, read_folder_config, to_text_config
from pipelines.ltx.text_quantized import (
    BYTES_PER_WEIGHT,
    TextQuantization,
    load_quantized,
    resolve_quantization,
    validate_cpu_blocks,
    validate_stored,
)
from pipelines.ltx.tokenizer import PromptTokenizer, load_tokenizer
from pipelines.memory import ComponentSize
from weights.checkpoint import Checkpoint, canonical, open_single, stored_spelling
from weights.errors import FileError, UnsupportedError
from weights.gemma import infer_gemma
from weights.header import is_folder, read_header
from weights.load import load_module, validate_match
from weights.names import TEXT_ENCODER
from weights.quantization import is_sidecar, validate_scales
from weights.shards import read_tensors
from weights.unsupported import validate_readable

if TYPE_CHECKING:
    from transformers import Gemma3TextConfig


@dataclass(frozen=True)
class TextWidth:
    """The text encoder size that a checkpoint was trained with; Gemma 3 12B has 48 layers of width 3840."""

    hidden_size: int
    num_layers: int


@dataclass(frozen=True)
class TextShape:
    """The memory needs of a text encoder, wherever its weights are."""

    config: "Gemma3TextConfig"
    quantization: TextQuantization = TextQuantization.NONE

    @property
    def width(self) -> TextWidth:
        return TextWidth(self.config.hidden_size, self.config.num_hidden_layers)

    def size(self, item_bytes: int) -> ComponentSize:
        """Return the sizes of the weights. Weights quantised by bitsandbytes are not streamed.

        item_bytes: bytes of one plain weight.
        """
        model = _build(self.config)
        if self.quantization is TextQuantization.NONE:
            return ComponentSize(weight_bytes(model, item_bytes), part_bytes(model, item_bytes))
        linear = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Linear))
        saved = linear * (item_bytes - BYTES_PER_WEIGHT[self.quantization])
        return ComponentSize(weight_bytes(model, item_bytes) - round(saved))


@dataclass(frozen=True, kw_only=True)
class TextEncoderSource(TextShape):
    """A text encoder that can be loaded.

    is_stored_quantized: its folder already holds 8- or 4-bit weights.
    is_text_only: its folder holds a Gemma 3 without a vision tower.
    """

    path: Path
    checkpoint: Checkpoint
    tokenizer: PromptTokenizer
    is_stored_quantized: bool = False
    is_text_only: bool = False

    @property
    def stored_bytes(self) -> int:
        """Return the size of its tensors in the file."""
        tensors = self.checkpoint.tensors
        return sum(info.size_bytes for name, info in tensors.items() if not is_sidecar(name))


def open_text_encoder(
    path: Path, quantization: TextQuantization = TextQuantization.NONE, tokenizer: Path | None = None
) -> TextEncoderSource:
    """Read headers, config and tokenizer. Raises WeightsError if it is not a Gemma 3, or is incomplete.

    tokenizer: the tokenizer's folder, if it is a different one.
    """
    if is_folder(path):
        return _open_folder(path, quantization, tokenizer)
    if not path.exists():
        raise FileError(path, "is not there; the folder of Gemma 3 12B is needed, or its single file")
    return _open_file(path, quantization)


def _open_folder(folder: Path, asked: TextQuantization, tokenizer: Path | None) -> TextEncoderSource:
    config = read_folder_config(folder)
    quantization = resolve_quantization(folder, asked, config.quantization)
    checkpoint = Checkpoint(folder, canonical(read_tensors(folder)), config={})
    if config.quantization is None:
        validate_readable(folder, checkpoint.tensors)
    needed = _needed(checkpoint)
    validate_scales(needed)
    return TextEncoderSource(
        path=folder,
        config=config.text,
        checkpoint=needed,
        tokenizer=load_tokenizer(tokenizer or folder, checkpoint),
        quantization=quantization,
        is_stored_quantized=config.quantization is not None,
        is_text_only=config.is_text_only,
    )


def _open_file(path: Path, asked: TextQuantization) -> TextEncoderSource:
    if asked is not TextQuantization.NONE:
        raise UnsupportedError(path, f"is a single file; --text-encoder-quantization {asked} needs the folder of a "
                                     "plain Gemma 3 12B")  # fmt: skip
    checkpoint = open_single(read_header(path))
    validate_readable(path, checkpoint.tensors)
    try:
        config = to_text_config(path, infer_gemma(checkpoint.tensors))
    except KeyError as exc:
        _, name = stored_spelling(checkpoint.stored, str(exc.args[0]), path)
        raise UnsupportedError(path, f"is not Gemma 3: tensor {name!r} is missing; {NEEDED}") from exc
    except (ValueError, IndexError, ZeroDivisionError) as exc:
        raise UnsupportedError(path, f"is not Gemma 3: its tensors have other shapes ({exc})") from exc
    needed = _needed(checkpoint)
    validate_scales(needed)
    tokenizer = load_tokenizer(path, checkpoint)
    return TextEncoderSource(path=path, config=config, checkpoint=needed, tokenizer=tokenizer)


def _needed(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint without the vision tower and other unused tensors, and without their scales."""
    stored = {name: tensor for name, tensor in checkpoint.stored.items() if not TEXT_ENCODER.is_unused(name)}
    return replace(checkpoint, stored=stored)


def validate_text_encoder(source: TextEncoderSource, wanted: TextWidth) -> None:
    """Raise WeightsError if it is a Gemma 3 of another size, or a tensor is missing, unexpected or mis-shaped."""
    found = source.width
    if found != wanted:
        raise UnsupportedError(source.path, f"has {found.num_layers} layers of width {found.hidden_size}; the "
                               f"checkpoint needs {wanted.num_layers} of width {wanted.hidden_size}")  # fmt: skip
    model = _build(source.config)
    if source.is_stored_quantized:
        validate_stored(model, source.checkpoint)
    else:
        validate_match(model, source.checkpoint, TEXT_ENCODER)


def load_text_encoder(
    source: TextEncoderSource,
    device: torch.device,
    dtype: torch.dtype,
    on_progress: OnProgress = lambda component, done, total: None,
    pin: bool = False,
) -> nn.Module:
    """Load a validated source. Raises WeightsError if its files cannot be read. pin: as in `load_module`.

    FP8 weights are converted to `dtype`: the checkpoint was trained on the hidden states of all layers, and a prompt is
    encoded once, so the time that FP8 arithmetic would save is not worth its error.
    """
    model = _build(source.config)
    if source.quantization is not TextQuantization.NONE:
        if device.type == "cpu":
            validate_cpu_blocks(source.path, source.quantization, model)
        on_progress("text_encoder", 0, 0)
        return load_quantized(
            source.path, source.quantization, source.is_stored_quantized, source.is_text_only, device, dtype
        )
    counter = ByteCounter("text_encoder", source.stored_bytes, on_progress)
    load_module(model, source.checkpoint, TEXT_ENCODER, device, dtype, counter, pin)
    return model


def _build(config: "Gemma3TextConfig") -> nn.Module:
    """Build the model on `meta`, except for the RoPE frequencies and the embedding's scale, which no file holds."""
    from accelerate import init_empty_weights
    from transformers import Gemma3TextModel

    with init_empty_weights(include_buffers=False):
        model: nn.Module = Gemma3TextModel(config)
    return model
