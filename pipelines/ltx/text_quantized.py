"""Load Gemma 3 in bitsandbytes' 8- or 4-bit formats through transformers, quantised while loading or stored so."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from torch import nn

from weights.checkpoint import Checkpoint
from weights.errors import TensorError, UnsupportedError
from weights.load import missing_tensors
from weights.names import TEXT_ENCODER

OPTION = "--text-encoder-quantization"

# The tensors that bitsandbytes stores beside `LAYER.weight`, by the dtype of the weight.
BESIDE_WEIGHT = {"U8": ("weight.absmax", "weight.quant_map"), "I8": ("SCB",)}


class TextQuantization(StrEnum):
    """The quantisation of the text encoder.

    8bit: LLM.int8(). 4bit: NF4 weights, multiplied in the model's dtype.
    """

    NONE = "none"
    INT8 = "8bit"
    NF4 = "4bit"


# Needed by bitsandbytes' 4-bit kernel for CPUs with avx512_bf16: multiples of its rows and of the scales' columns.
CPU_BLOCK_ROWS, CPU_BLOCK_COLUMNS = 32, 64

# Bytes per weight of a Linear, with the scales: one float32 for 64 values of NF4, one for each row of INT8.
BYTES_PER_WEIGHT = {TextQuantization.INT8: 1.0, TextQuantization.NF4: 0.5 + 4 / 64}


def resolve_quantization(folder: Path, asked: TextQuantization, stored: dict[str, Any] | None) -> TextQuantization:
    """Return the quantisation in its config.json, or `asked` if there is none.

    Raises UnsupportedError if the two differ, or the folder is quantised by another method.
    """
    if stored is None:
        return asked
    method = stored.get("quant_method", "bitsandbytes")
    if method != "bitsandbytes":
        raise UnsupportedError(folder, f"is quantised by {method}, which is not read here; plain weights are, and "
                                       "those of bitsandbytes")  # fmt: skip
    found = TextQuantization.NF4 if stored.get("load_in_4bit") else TextQuantization.INT8
    if asked not in (TextQuantization.NONE, found):
        raise UnsupportedError(folder, f"holds {found} weights, {OPTION} {asked} was asked for; leave the option "
                                       "out, or give the folder of a plain Gemma 3 12B")  # fmt: skip
    return found


def validate_stored(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Raise TensorError if a tensor of `model` or its quantisation data is missing.

    transformers reports neither.
    """
    published = {name: checkpoint.tensors[stored] for stored, name in TEXT_ENCODER.select(checkpoint.stored).items()}
    needed = set(model.state_dict())
    for name, info in published.items():
        if name.endswith(".weight"):
            needed |= {name.removesuffix("weight") + beside for beside in BESIDE_WEIGHT.get(info.dtype, ())}
    if missing := sorted(needed - published.keys()):
        raise missing_tensors(checkpoint, missing, TEXT_ENCODER, type(model).__name__)


def validate_cpu_blocks(folder: Path, quantization: TextQuantization, model: nn.Module) -> None:
    """Raise UnsupportedError if bitsandbytes cannot multiply a matrix of `model` in 4 bits on every CPU.

    Some CPUs could. That is not checked, because what runs on one machine must run on another.
    """
    if quantization is not TextQuantization.NF4:
        return
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            rows, columns = module.weight.shape
            if rows % CPU_BLOCK_ROWS or columns % CPU_BLOCK_COLUMNS:
                raise UnsupportedError(
                    folder,
                    f"cannot be loaded in 4bit on a CPU: {name}.weight is {rows} x {columns}, and bitsandbytes needs a "
                    f"multiple of {CPU_BLOCK_ROWS} x {CPU_BLOCK_COLUMNS}; give {OPTION} none with plain weights, or a "
                    "CUDA device",
                )


def load_quantized(
    folder: Path,
    quantization: TextQuantization,
    is_stored: bool,
    is_text_only: bool,
    device: torch.device,
    dtype: torch.dtype,
) -> nn.Module:
    """Load the text model. Raises WeightsError if a tensor is missing.

    transformers would leave it at a random value.
    """
    from transformers import Gemma3ForCausalLM, Gemma3ForConditionalGeneration

    _quieten()
    model_class = Gemma3ForCausalLM if is_text_only else Gemma3ForConditionalGeneration
    how = (
        _stored(folder, model_class, dtype)
        if is_stored
        else {"quantization_config": _bitsandbytes(quantization, dtype)}
    )
    try:
        model, info = model_class.from_pretrained(
            folder, dtype=dtype, device_map={"": device}, local_files_only=True, output_loading_info=True, **how
        )
    except (OSError, ValueError, RuntimeError, ImportError) as exc:
        reason = " ".join(str(exc).split())
        raise UnsupportedError(folder, f"cannot be loaded in {quantization} ({OPTION}): {reason}") from exc
    _validate_loaded(folder, info)
    text_model: nn.Module = model.model if is_text_only else model.model.language_model
    return text_model.requires_grad_(False).eval()


def _bitsandbytes(quantization: TextQuantization, dtype: torch.dtype) -> Any:
    from transformers import BitsAndBytesConfig

    if quantization is TextQuantization.INT8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)


def _stored(folder: Path, model_class: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Return arguments with the folder's own config, set to compute in the model's dtype.

    Some configs ask for float16, in which Gemma 3's output is empty.
    """
    config = model_class.config_class.from_pretrained(folder, local_files_only=True)
    config.quantization_config["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    return {"config": config}


def _validate_loaded(folder: Path, info: dict[str, Any]) -> None:
    missing = sorted(name for name in info["missing_keys"] if not TEXT_ENCODER.is_unused(name))
    if missing:
        raise TensorError(f"{folder}: missing tensor {missing[0]!r} and {len(missing) - 1} more of Gemma 3")
    if info["mismatched_keys"]:
        raise TensorError(f"{folder}: mis-shaped {sorted(map(str, info['mismatched_keys']))[0]}; see its config.json")


def _quieten() -> None:
    """Silence messages of the libraries that no user can act on.

    These are progress bars, bitsandbytes' warning for each layer and prompt that 8-bit arithmetic uses float16, and its
    warning on import, on a CPU with avx512_bf16, that an optional kernel is not installed.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    for name in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
        logging.getLogger(name).setLevel(logging.ERROR)
