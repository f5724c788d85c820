"""The header of a safetensors file: names, dtypes, shapes and metadata, without reading a tensor.

Format: https://huggingface.co/docs/safetensors#format
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from weights.errors import FileError

# safetensors' own bound on the header, kept by every reader.
MAX_HEADER_BYTES = 100_000_000

BITS_BY_DTYPE = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class TensorInfo:
    """dtype as the file spells it (`BF16`, `F8_E4M3`)."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * BITS_BY_DTYPE[self.dtype] // 8


@dataclass(frozen=True)
class Header:
    """offsets: where each tensor's bytes begin in the file."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]
    offsets: Mapping[str, int] = field(default_factory=dict)

    def json_metadata(self, key: str) -> dict[str, Any] | None:
        """The metadata entry `key` parsed as a JSON object; None when the file has none."""
        text = self.metadata.get(key)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except ValueError as exc:
            raise FileError(self.path, f"metadata {key!r} is not JSON ({exc})") from exc
        if not isinstance(value, dict):
            raise FileError(self.path, f"metadata {key!r} is not a JSON object")
        return value


def is_folder(path: Path) -> bool:
    """Raises FileError where that cannot be seen: a folder above it may be closed."""
    try:
        return path.is_dir()
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc


def read_header(path: Path) -> Header:
    """Raises FileError when `path` cannot be opened, is not safetensors, or is shorter than its header says."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            if len(prefix) < 8:
                raise FileError(path, "is too short to be a safetensors file")
            (length,) = struct.unpack("<Q", prefix)
            if length > min(size_bytes - 8, MAX_HEADER_BYTES):
                raise FileError(path, "is not a safetensors file, or is cut short inside its header")
            text = file.read(length)
    except IsADirectoryError as exc:
        raise FileError(path, "is a folder; a .safetensors file is needed") from exc
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc
    return _parse(path, text, size_bytes - 8 - length)


def _parse(path: Path, text: bytes, data_bytes: int) -> Header:
    try:
        entries = json.loads(text)
        metadata = entries.pop("__metadata__", None) or {}
        tensors = {name: TensorInfo(entry["dtype"], tuple(entry["shape"])) for name, entry in entries.items()}
        ends = [entry["data_offsets"][1] for entry in entries.values()]
        start = 8 + len(text)
        offsets = {name: start + entry["data_offsets"][0] for name, entry in entries.items()}
        sizes = {name: info.size_bytes for name, info in tensors.items()}
        wrong = [n for n, e in entries.items() if e["data_offsets"][1] - e["data_offsets"][0] != sizes[n]]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as exc:
        raise FileError(path, "is not a safetensors file: its header cannot be understood") from exc
    if wrong:
        raise FileError(path, f"tensor {wrong[0]!r} takes another number of bytes than its shape needs")
    if max(ends, default=0) != data_bytes:
        raise FileError(path, f"is cut short or damaged: {max(ends, default=0):,} bytes of tensors announced, "
                              f"{data_bytes:,} there; download it again")  # fmt: skip
    return Header(path, metadata, tensors, offsets)
