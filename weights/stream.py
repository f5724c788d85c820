"""Read the tensors of a checkpoint, one by one, straight from their file to their device.

An FP8 weight `NAME.weight` may have a float32 scalar `NAME.weight_scale`: its values are then weight * weight_scale.
Without any scale in the file the weights were plainly cast, and are used as they are. `NAME.input_scale` belongs to FP8
arithmetic on activations and does not affect a weight's value.
"""

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from weights.checkpoint import Checkpoint, StoredTensor
from weights.errors import FileError, UnsupportedError

if TYPE_CHECKING:
    import torch

# One reader waits for the disk while another fills memory; together they hold at most this much.
READERS = 2
AHEAD_BYTES = 256 * 2**20
READ_BYTES = 2**26

# torch's names of the dtypes of weights.
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
    """The open files of one checkpoint, as a context manager. Raises FileError if a file cannot be read.

    ahead: names in the order in which they will be needed; the next ones are read while the last is used.

    Files are read rather than mapped: safetensors maps a file as private memory, which the kernel refuses if the file
    is larger than the machine's memory, as a 46 GB checkpoint may be.
    """

    def __init__(self, checkpoint: Checkpoint, ahead: Iterable[str] = ()) -> None:
        self._checkpoint = checkpoint
        self._files: dict[Path, int] = {}
        self._stack = ExitStack()
        self._ahead = deque(ahead)
        self._coming: dict[str, Future[torch.Tensor]] = {}
        self._coming_bytes = 0

    def __enter__(self) -> "TensorReader":
        self._pool = self._stack.enter_context(ThreadPoolExecutor(READERS, thread_name_prefix="weights"))
        self._read_ahead()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._stack.close()

    def read(self, name: str, device: "torch.device", dtype: "torch.dtype | None" = None) -> "torch.Tensor":
        """Return the tensor as stored, or as `dtype` if given."""
        stored = self._checkpoint.stored[name]
        if name in self._coming:
            tensor = self._coming.pop(name).result()
            self._coming_bytes -= stored.info.size_bytes
            self._read_ahead()
        else:
            tensor = self._read(stored, self._open(stored.path))
        return tensor.to(device, dtype or tensor.dtype)

    def _read_ahead(self) -> None:
        """Read at least one, and no more than may wait in memory."""
        while self._ahead:
            stored = self._checkpoint.stored[self._ahead[0]]
            if self._coming and self._coming_bytes + stored.info.size_bytes > AHEAD_BYTES:
                return
            self._coming_bytes += stored.info.size_bytes
            self._coming[self._ahead.popleft()] = self._pool.submit(self._read, stored, self._open(stored.path))

    def _read(self, stored: StoredTensor, file: int) -> "torch.Tensor":
        import torch

        if stored.info.dtype not in TORCH_NAMES:
            raise UnsupportedError(stored.path, f"{stored.name!r} is {stored.info.dtype}, which no LTX-2.3 file has")
        tensor = torch.empty(stored.info.shape, dtype=getattr(torch, TORCH_NAMES[stored.info.dtype]))
        buffer = tensor.reshape(-1).view(torch.uint8).numpy().data
        try:
            done = _fill(buffer, file, stored.offset)
        except OSError as exc:
            raise FileError(stored.path, f"cannot be read: {exc.strerror or exc}") from exc
        if done < len(buffer):
            raise FileError(stored.path, f"ends inside {stored.name!r}; download it again")
        return tensor

    def dequantize(self, name: str, device: "torch.device", dtype: "torch.dtype") -> "torch.Tensor":
        """Return the values of a tensor, however it is stored."""
        scale = weight_scale_of(self._checkpoint, name)
        if scale is None:
            return self.read(name, device, dtype)
        return (self.read(name, device).float() * self.read(scale, device).float()).to(dtype)

    def _open(self, path: Path) -> int:
        if path not in self._files:
            try:
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as exc:
                raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc
            self._stack.callback(os.close, self._files[path])
        return self._files[path]


def _fill(buffer: memoryview, file: int, offset: int) -> int:
    """Read at a given position, which threads do not share; return the bytes read, fewer than asked for at the end."""
    done = 0
    while done < len(buffer) and (count := os.preadv(file, [buffer[done : done + READ_BYTES]], offset + done)):
        done += count
    return done


def weight_scale_of(checkpoint: Checkpoint, name: str) -> str | None:
    """Return the name of an FP8 weight's scale; None if the weight is not scaled."""
    scale = f"{name}_scale"
    return scale if scale in checkpoint.stored else None


def has_placeholder_scales(checkpoint: Checkpoint, names: Iterable[str]) -> bool:
    """Return whether all input scales are 1.0, which some repacks write if none was calibrated."""
    import torch

    with TensorReader(checkpoint) as reader:
        scales = (reader.read(name, torch.device("cpu")) for name in names)
        return all(bool((scale == 1).all()) for scale in scales)
