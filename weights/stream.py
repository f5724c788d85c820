"""Tensors of a file, one by one, with their scales applied.

Scaled FP8 (official layout): `NAME.weight` in F8_E4M3 with a float32 scalar `NAME.weight_scale`, and for static
activation quantisation `NAME.input_scale`. Weights are given dequantised: weight * weight_scale; the input scale has
no part in that and is not read.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from weights.errors import FileError, UnsupportedError
from weights.header import Header

if TYPE_CHECKING:
    import torch

WEIGHT_SCALE = "_scale"
FP8_DTYPES = {"F8_E4M3", "F8_E5M2"}


def is_scale(name: str) -> bool:
    return name.endswith((".weight_scale", ".input_scale"))


def stream_tensors(
    header: Header, names: Iterable[str], device: "torch.device", dtype: "torch.dtype"
) -> Iterator[tuple[str, "torch.Tensor"]]:
    """(published name, tensor on `device`) for each name, dequantised, as `dtype`.

    Raises UnsupportedError for an FP8 tensor without its scale, FileError when the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(header.path, framework="pt", device="cpu") as file:
            for name in names:
                yield name, _read(file, header, name, device, dtype)
    except (SafetensorError, OSError) as exc:
        raise FileError(header.path, f"cannot be read: {exc}") from exc


def _read(file: Any, header: Header, name: str, device: "torch.device", dtype: "torch.dtype") -> "torch.Tensor":
    import torch

    tensor: torch.Tensor = file.get_tensor(name)
    if header.tensors[name].dtype not in FP8_DTYPES:
        # Copied even when nothing changes: the original is a window into the mapped file.
        return tensor.to(device, dtype, copy=True)
    scale = name + WEIGHT_SCALE
    if scale not in header.tensors:
        raise UnsupportedError(header.path, f"{name!r} is FP8 and has no {scale!r}: plain-cast FP8 is not read here")
    weight_scale: torch.Tensor = file.get_tensor(scale).to(device)
    return (tensor.to(device).float() * weight_scale.float()).to(dtype)
