"""Build the models of a memory plan by shape alone: from files that exist, else from published sizes."""

from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.ltx.fp8 import Fp8Mode
from pipelines.ltx.models import ShapedModels, open_components, text_width
from pipelines.ltx.text_config import to_text_config
from pipelines.ltx.text_encoder import TextEncoderSource, TextShape, open_text_encoder, validate_text_encoder
from pipelines.ltx.text_quantized import TextQuantization
from weights.errors import UnsupportedError
from weights.full_model import GEMMA_12B, full_checkpoint, full_upsampler
from weights.source import Source, one_file_source, one_file_upsampler, open_source, open_upsampler


@dataclass(frozen=True)
class PlannedFiles:
    """Like WeightFiles, except that None means not on the disk. With `stages` 1 there is no upsampler."""

    checkpoint: Path | None
    companions: tuple[Path, ...] = ()
    upsampler: Path | None = None
    text_encoder: Path | None = None
    tokenizer: Path | None = None
    stages: int = 2


def shape_models(
    files: PlannedFiles, dtype: torch.dtype, fp8: Fp8Mode, text_quantization: TextQuantization
) -> ShapedModels:
    """Return the models by shape. Raises WeightsError as loading would, except for errors in the tensors' values.

    text_quantization: what was asked for, or how the text encoder was published.
    """
    text = _text(files, text_quantization)
    if files.checkpoint is None:
        source = one_file_source(full_checkpoint())
    else:
        source = open_source(files.checkpoint, files.companions, text.width.hidden_size)
    _validate_text(text, source)
    upsampler = one_file_upsampler(full_upsampler()) if files.upsampler is None else open_upsampler(files.upsampler)
    return ShapedModels(open_components(source, upsampler if files.stages == 2 else None, dtype, fp8), text, dtype)


def _text(files: PlannedFiles, quantization: TextQuantization) -> TextShape:
    if files.text_encoder is not None:
        return open_text_encoder(files.text_encoder, quantization, files.tokenizer)
    return TextShape(to_text_config(Path("Gemma 3 12B"), dict(GEMMA_12B)), quantization)


def _validate_text(text: TextShape, source: Source) -> None:
    wanted = text_width(source)
    if isinstance(text, TextEncoderSource):
        validate_text_encoder(text, wanted)
    elif text.width != wanted:
        raise UnsupportedError(source.checkpoint.path, f"needs a text encoder of {wanted.num_layers} layers of width "
                                                       f"{wanted.hidden_size}: give --text-encoder")  # fmt: skip
