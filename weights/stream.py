"""Tensors of a checkpoint, one by one, straight from their file to their device.

An FP8 weight `NAME.weight` may have a float32 scalar `NAME.weight_scale`: its values are then weight * weight_scale.
Without any scale in the file the weights were plainly cast, and are what they say. `NAME.input_scale` belongs to FP8
arithmetic on activations and has no part in a weight's value.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from weights.checkpoint import Checkpoint, StoredTensor
from weights.errors import FileError, UnsupportedError

if TYPE_CHECKING:
    import torch

# What torch calls the dtypes of weights.
TORCH_NAMES = {
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "U8": "uint8",
    "I8": "int8",
    "I32": "int32",
    "I64": "int64",
}


class TensorReader:
    """The open files of one checkpoint. Use as a context manager. Raises FileError when a file cannot be read.

    Reads rather than maps: safetensors maps a file as private memory, which the kernel refuses where the file is larger
    than the machine's memory, as a 46 GB checkpoint may well be beside a card.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._files: dict[Path, BinaryIO] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "TensorReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def read(self, name: str, device: "torch.device", dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        """As stored, or as `dtype` where that is given."""
        tensor = self._read(self._checkpoint.stored[name])
        return tensor.to(device, dtype or tensor.dtype)

    def _read(self, stored: StoredTensor) -> "torch.Tensor":
        import torch

        if stored.info.dtype not in TORCH_NAMES:
            raise UnsupportedError(stored.path, f"{stored.name!r} is {stored.info.dtype}, which no LTX-2.3 file has")
        tensor = torch.empty(stored.info.shape, dtype=getattr(torch, TORCH_NAMES[stored.info.dtype]))
        buffer = tensor.reshape(-1).view(torch.uint8).numpy().data
        try:
            file = self._open(stored.path)
            file.seek(stored.offset)
            done = 0
            while done < len(buffer) and (count := file.readinto(buffer[done:])):  # type: ignore[attr-defined]
                done += count
        except OSError as exc:
            raise FileError(stored.path, f"cannot be read: {exc.strerror or exc}") from exc
        if done < len(buffer):
            raise FileError(stored.path, f"ends inside {stored.name!r}; download it again")
        return tensor

    def dequantize(self, name: str, device: "torch.device", dtype: "torch.dtype") -> "torch.Tensor":
        """The values of a tensor, whatever it is stored as."""
        scale = weight_scale_of(self._checkpoint, name)
        if scale is None:
            return self.read(name, device, dtype)
        return (self.read(name, device).float() * self.read(scale, device).float()).to(dtype)

    def _open(self, path: Path) -> BinaryIO:
        if path not in self._files:
            self._files[path] = self._stack.enter_context(path.open("rb", buffering=0))
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
