"""Read the header of a safetensors file: names, dtypes, shapes and metadata, without reading a tensor.

Format: https://huggingface.co/docs/safetensors#format
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from weights.config_limits import validate_config
from weights.errors import FileError
from weights.identify import AGAIN, SAFETENSORS_NEEDED, START_BYTES, identify
from weights.regular_file import open_regular

# safetensors' own bound on the header, kept by every reader.
MAX_HEADER_BYTES = 100_000_000

# No file is larger, so neither is a number in its header; and no weight has more dimensions.
MAX_NUMBER = 2**63
MAX_DIMENSIONS = 16

BITS_BY_DTYPE = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip

LONGEST_NAME = 120


@dataclass(frozen=True)
class TensorInfo:
    """A tensor's dtype, as the file spells it (`BF16`, `F8_E4M3`), and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * BITS_BY_DTYPE[self.dtype] // 8


@dataclass(frozen=True)
class Header:
    """The header of a file. offsets: where each tensor's bytes begin in it."""

    path: Path
    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorInfo]
    offsets: Mapping[str, int] = field(default_factory=dict)

    def read_config(self) -> dict[str, Any] | None:
        """Return the config in the metadata; None when the file has none. Raise WeightsError when it is damaged."""
        key = "config"
        text = self.metadata.get(key)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except ValueError as exc:
            raise FileError(self.path, f"metadata {key!r} is not JSON ({exc})") from exc
        except RecursionError as exc:
            raise FileError(self.path, f"metadata {key!r} is nested too deep") from exc
        if not isinstance(value, dict):
            raise FileError(self.path, f"metadata {key!r} is not a JSON object")
        validate_config(self.path, value)
        return value


def is_folder(path: Path) -> bool:
    """Return whether `path` is a folder. Raises FileError if a folder above it cannot be read."""
    try:
        return path.is_dir()
    except OSError as exc:
        raise FileError(path, f"cannot be read: {exc.strerror or exc}") from exc


def read_header(path: Path) -> Header:
    """Raise FileError that says what the file is when it is not a whole safetensors file."""
    with open_regular(path, "a .safetensors file") as (file, size_bytes):
        start = file.read(START_BYTES)
        length = _header_length(path, start, size_bytes)
        text = (start + file.read(max(8 + length - len(start), 0)))[8 : 8 + length]
    return _HeaderParser(path).parse(text, size_bytes - 8 - length)


def _header_length(path: Path, start: bytes, size_bytes: int) -> int:
    """Return what the first eight bytes say. Raise FileError when they are not those of a safetensors file."""
    if not start:
        raise FileError(path, f"is empty; {AGAIN}")
    (length,) = struct.unpack("<Q", start[:8].ljust(8, b"\0"))
    if start[8:9] == b"{" and length <= min(size_bytes - 8, MAX_HEADER_BYTES):
        return int(length)
    if sentence := identify(start):
        raise FileError(path, sentence)
    if start[8:9] == b"{" and length <= MAX_HEADER_BYTES:
        raise FileError(path, f"is cut short inside its header, of {length:,} bytes; {AGAIN}")
    raise FileError(path, f"is not a safetensors file; {SAFETENSORS_NEEDED}")


class _HeaderParser:
    """Checks every entry of a header, which may come from anybody. `path` is for messages."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def parse(self, text: bytes, data_bytes: int) -> Header:
        entries = self._entries(text)
        metadata = self._metadata(entries.pop("__metadata__", None))
        tensors = {name: self._tensor(name, entry) for name, entry in entries.items()}
        ranges = {name: self._range(name, entry["data_offsets"], tensors[name]) for name, entry in entries.items()}
        self._validate_layout(ranges, data_bytes)
        first = 8 + len(text)
        return Header(self._path, metadata, tensors, {name: first + begin for name, (begin, _) in ranges.items()})

    def _entries(self, text: bytes) -> dict[str, Any]:
        try:
            entries = json.loads(text.decode(), object_pairs_hook=self._unique)
        except ValueError as exc:
            raise self._damaged(f"its header is not JSON ({exc})") from exc
        except RecursionError as exc:
            raise self._damaged("its header is nested too deep") from exc
        if not isinstance(entries, dict):
            raise self._damaged("its header is not a JSON object")
        return entries

    def _unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Refuse a key that comes twice: readers differ in which of the two they take."""
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise self._damaged(f"its header has the key {quoted(key)} twice")
            found[key] = value
        return found

    def _metadata(self, metadata: Any) -> dict[str, str]:
        if metadata is None:
            return {}
        if not isinstance(metadata, dict):
            raise FileError(self._path, "its metadata is not a JSON object; save it again, from text to text")
        for key, value in metadata.items():
            if not isinstance(value, str):
                raise FileError(self._path, f"its metadata {quoted(key)} is not text, which metadata has to be; save "
                                            "it again with a text, or without the entry")  # fmt: skip
        return metadata

    def _tensor(self, name: str, entry: Any) -> TensorInfo:
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= entry.keys():
            raise self._damaged(f"tensor {quoted(name)} has no dtype, shape and data_offsets")
        dtype, shape = entry["dtype"], entry["shape"]
        if not isinstance(dtype, str):
            raise self._damaged(f"tensor {quoted(name)} has a dtype that is not text")
        if dtype not in BITS_BY_DTYPE:
            raise FileError(self._path, f"tensor {quoted(name)} has the dtype {quoted(dtype)}, which is not known here")
        if not _is_numbers(shape) or len(shape) > MAX_DIMENSIONS or prod(shape) >= MAX_NUMBER:
            raise self._damaged(f"tensor {quoted(name)} has a shape that no tensor has")
        return TensorInfo(dtype, tuple(shape))

    def _range(self, name: str, offsets: Any, info: TensorInfo) -> tuple[int, int]:
        if not _is_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise self._damaged(f"tensor {quoted(name)} has data_offsets that are not two places in the file")
        begin, end = offsets
        if end - begin != info.size_bytes:
            raise self._damaged(f"tensor {quoted(name)} takes {end - begin:,} bytes, its shape needs "
                                f"{info.size_bytes:,}")  # fmt: skip
        return begin, end

    def _validate_layout(self, ranges: Mapping[str, tuple[int, int]], data_bytes: int) -> None:
        """Refuse all but tensors one after the other up to the end of the file, as the format has it."""
        in_order = sorted(ranges, key=ranges.__getitem__)
        for name, following in pairwise(in_order):
            (_, end), (begin, _) = ranges[name], ranges[following]
            if begin < end:
                raise self._damaged(f"tensors {quoted(name)} and {quoted(following)} overlap")
            if begin > end:
                raise self._damaged(f"{begin - end:,} bytes before tensor {quoted(following)} belong to no tensor")
        if in_order and ranges[in_order[0]][0]:
            raise self._damaged(f"the bytes before tensor {quoted(in_order[0])} belong to no tensor")
        announced = ranges[in_order[-1]][1] if in_order else 0
        if announced > data_bytes:
            raise FileError(self._path, f"is cut short: {announced:,} bytes of tensors announced, {data_bytes:,} "
                                        f"there; {AGAIN}")  # fmt: skip
        if announced < data_bytes:
            raise FileError(self._path, f"has {data_bytes - announced:,} bytes after its last tensor, which belong to "
                                        f"nothing; {AGAIN}")  # fmt: skip

    def _damaged(self, what: str) -> FileError:
        return FileError(self._path, f"is damaged: {what}; {AGAIN}")


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and 0 <= number < MAX_NUMBER for number in value)


def quoted(name: object) -> str:
    """Return the name quoted for a message of one line, however long it is."""
    text = repr(name)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}...'"
