"""Find the FP8 tensors of a checkpoint, one by one, and check that their scales are complete."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weights.checkpoint import Checkpoint
from weights.errors import UnsupportedError
from weights.header import TensorInfo
from weights.stream import TensorReader, has_placeholder_scales

if TYPE_CHECKING:
    import torch

FP8_DTYPES = frozenset({"F8_E4M3", "F8_E5M2"})

# Tensors that belong to `NAME.weight` and are not a module's.
SIDECARS = (".weight_scale", ".input_scale", ".comfy_quant")


@dataclass(frozen=True)
class Fp8Weight:
    """An FP8 weight of a Linear, by its one-file name.

    input_scale: the name of its static activation scale, if any. dequantize: the file asks for full-precision
    arithmetic in this layer.
    """

    weight: str
    weight_scale: str
    input_scale: str | None
    dequantize: bool


def is_sidecar(name: str) -> bool:
    return name.endswith(SIDECARS)


def is_fp8(info: TensorInfo) -> bool:
    return info.dtype in FP8_DTYPES


def validate_scales(checkpoint: Checkpoint) -> None:
    """Raise UnsupportedError if only some FP8 weights have scales: the values would be wrong."""
    tensors = checkpoint.tensors
    scaled = {name for name in tensors if f"{name}_scale" in tensors and is_fp8(tensors[name])}
    bare = [name for name, info in tensors.items() if is_fp8(info) and name not in scaled]
    if scaled and bare:
        raise UnsupportedError(checkpoint.path, f"{bare[0]!r} is FP8 and has no scale, unlike {len(scaled)} others; "
                                                "the file is damaged, download it again")  # fmt: skip


def fp8_weights(checkpoint: Checkpoint) -> Mapping[str, Fp8Weight]:
    """Return the scaled FP8 weights of a checkpoint by name. Placeholder input scales are ignored."""
    tensors = checkpoint.tensors
    names = [name for name, info in tensors.items() if is_fp8(info) and f"{name}_scale" in tensors]
    inputs = {name: f"{name.removesuffix('.weight')}.input_scale" for name in names}
    present = {name: scale for name, scale in inputs.items() if scale in tensors}
    if present and has_placeholder_scales(checkpoint, present.values()):
        present = {}
    full_precision = _full_precision(checkpoint, names)
    return {name: Fp8Weight(name, f"{name}_scale", present.get(name), name in full_precision) for name in names}


def _full_precision(checkpoint: Checkpoint, names: list[str]) -> set[str]:
    """Return the weights whose `comfy_quant` says `full_precision_matrix_mult`."""
    import torch

    marked = {name: f"{name.removesuffix('.weight')}.comfy_quant" for name in names}
    with TensorReader(checkpoint) as reader:
        return {
            name
            for name, marker in marked.items()
            if marker in checkpoint.stored and _asks_full_precision(reader.read(marker, torch.device("cpu")))
        }


def _asks_full_precision(marker: "torch.Tensor") -> bool:
    try:
        options = json.loads(bytes(marker.tolist()))
    except ValueError:
        return False
    return isinstance(options, dict) and bool(options.get("full_precision_matrix_mult"))
