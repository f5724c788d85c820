"""Tensors of a checkpoint, one by one, straight from their file to their device.

An FP8 weight `NAME.weight` may have a float32 scalar `NAME.weight_scale`: its values are then weight * weight_scale.
Without any scale in the file the weights were plainly cast, and are what they say. `NAME.input_scale` belongs to FP8
arithmetic on activations and has no part in a weight's value.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.checkpoint import Checkpoint
from weights.errors import FileError

if TYPE_CHECKING:
    import torch


class TensorReader:
    """The open files of one checkpoint. Use as a context manager. Raises FileError when a file cannot be read."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._files: dict[Path, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "TensorReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def read(self, name: str, device: "torch.device", dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        """As stored, or as `dtype` where that is given; never a window into the mapped file."""
        from safetensors import SafetensorError

        stored = self._checkpoint.stored[name]
        try:
            tensor: torch.Tensor = self._open(stored.path).get_tensor(stored.name)
        except (SafetensorError, OSError) as exc:
            raise FileError(stored.path, f"cannot be read: {exc}") from exc
        return tensor.to(device, dtype or tensor.dtype, copy=True)

    def dequantize(self, name: str, device: "torch.device", dtype: "torch.dtype") -> "torch.Tensor":
        """The values of a tensor, whatever it is stored as."""
        scale = weight_scale_of(self._checkpoint, name)
        if scale is None:
            return self.read(name, device, dtype)
        return (self.read(name, device).float() * self.read(scale, device).float()).to(dtype)

    def _open(self, path: Path) -> Any:
        from safetensors import safe_open

        if path not in self._files:
            self._files[path] = self._stack.enter_context(safe_open(path, framework="pt", device="cpu"))
        return self._files[path]


def weight_scale_of(checkpoint: Checkpoint, name: str) -> str | None:
    """The name of the scale of an FP8 weight; None where the weight is not scaled."""
    scale = f"{name}_scale"
    return scale if scale in checkpoint.stored else None


def has_placeholder_scales(checkpoint: Checkpoint, names: Iterable[str]) -> bool:
    """Whether all input scales are 1.0: some repacks write that where none was calibrated."""
    import torch

    with TensorReader(checkpoint) as reader:
        scales = (reader.read(name, torch.device("cpu")) for name in names)
        return all(bool((scale == 1).all()) for scale in scales)
