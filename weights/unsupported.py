"""Recognise intact safetensors that cannot be used here, by their tensors, and say what to use instead."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from weights.errors import UnsupportedError
from weights.header import TensorInfo

# How low-rank adapters of all kinds name what they add to a weight.
LORA = re.compile(
    r"\.(lora_[AB]|lora_(up|down)|lora_magnitude_vector|lokr_w[12](_[ab])?|hada_w[12]_[ab]|diff(_b)?)(\.|$)|^lora_unet_"
)

# Parts of the names, and the method that has such tensors beside its weights.
METHODS = {
    ".weight_scale_2": "NVFP4",
    ".weight_global_scale": "NVFP4",
    ".weight_packed": "a packed format of compressed-tensors",
    ".wscales": "SVDQuant (Nunchaku)",
    ".smooth_factor": "SVDQuant (Nunchaku)",
    ".qzeros": "GPTQ or AWQ",
    ".qweight": "GPTQ or AWQ",
    ".weight_scale_inv": "FP8 in blocks",
    ".quant_state.bitsandbytes__": "bitsandbytes (4 bits)",
    ".SCB": "bitsandbytes (8 bits)",
}

# By the dtypes of a weight and of its scale, where the scale is not one number.
BLOCK_FORMATS = {
    ("U8", "F8_E4M3"): "NVFP4",
    ("F4", "F8_E4M3"): "NVFP4",
    ("U8", "U8"): "MXFP4",
    ("U8", "F8_E8M0"): "MXFP4",
    ("F4", "F8_E8M0"): "MXFP4",
    ("F8_E4M3", "U8"): "MXFP8",
    ("F8_E4M3", "F8_E8M0"): "MXFP8",
    ("F8_E5M2", "F8_E8M0"): "MXFP8",
}

READ = "weights in BF16, F16, F32, or FP8 with one scale for each are read; `ltx23 weights list` names published ones"


def validate_readable(path: Path, tensors: Mapping[str, TensorInfo]) -> None:
    """Raise UnsupportedError that says what the tensors are, when they are a LoRA or quantised in another way."""
    if is_lora(tensors):
        raise UnsupportedError(path, "is a LoRA, which changes a checkpoint and cannot run without one: give a "
                                     "checkpoint, and the LoRA as --lora")  # fmt: skip
    if method := quantization_method(tensors):
        raise UnsupportedError(path, f"is quantised to {method}, which is not read here; {READ}")


def is_lora(tensors: Mapping[str, TensorInfo]) -> bool:
    return any(LORA.search(name) for name in tensors)


def quantization_method(tensors: Mapping[str, TensorInfo]) -> str | None:
    """Name a quantisation that is not supported, or return None."""
    for part, method in METHODS.items():
        if any(part in name for name in tensors):
            return method
    return next(_block_formats(tensors), None)


def _block_formats(tensors: Mapping[str, TensorInfo]) -> Iterator[str]:
    for name, weight in tensors.items():
        scale = tensors.get(f"{name}_scale")
        if scale is None:
            continue
        if method := BLOCK_FORMATS.get((weight.dtype, scale.dtype)):
            yield method
        elif weight.dtype in ("I8", "U8"):
            yield "INT8"
        elif scale.size_bytes and max(scale.shape, default=1) > 1:
            yield f"{weight.dtype} with scales of shape {list(scale.shape)}"
