"""Read a model's tensors from one safetensors file, or from shards with an index; and JSON files."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weights.checkpoint import StoredTensor, stored_tensors
from weights.errors import FileError, UnsupportedError
from weights.header import read_header
from weights.regular_file import open_regular

INDEX_PATTERN = "*.safetensors.index.json"

# The largest, a tokenizer.json, has a third of this size.
MAX_JSON_BYTES = 100_000_000

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def read_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of the folder `path` by their names there, from headers alone.

    Raises WeightsError with the name of the file that is missing, damaged, or a pickle, which could run code.
    """
    indexes = sorted(path.glob(INDEX_PATTERN))
    if not indexes:
        return stored_tensors(read_header(_only(path, sorted(path.glob("*.safetensors")))))
    index = _only(path, indexes)
    shard_by_name = _read_weight_map(index)
    stored: dict[str, StoredTensor] = {}
    for shard in _shards(index, shard_by_name):
        stored |= stored_tensors(read_header(shard))
    for name, shard_name in shard_by_name.items():
        if name not in stored or stored[name].path.name != shard_name:
            raise FileError(index, f"says that {name!r} is in {shard_name}, which it is not; download both again")
    return stored


def _only(path: Path, found: list[Path]) -> Path:
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(file.name for file in found)
        raise UnsupportedError(path, f"holds {names}: one of them alone, or shards with their index, is needed")
    pickles = sorted(file.name for pattern in PICKLES for file in path.glob(pattern))
    if pickles:
        raise UnsupportedError(path, f"holds pickled weights ({pickles[0]}), which can run any code and are not read; "
                                     "save them as .safetensors")  # fmt: skip
    raise FileError(path, "holds no .safetensors file; download it again")


def _read_weight_map(index: Path) -> dict[str, str]:
    """Return the file of each tensor. They are names next to the index, not arbitrary paths."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise FileError(index, "has no `weight_map` from tensors to files; download it again")
    for shard_name in weight_map.values():
        if not isinstance(shard_name, str) or Path(shard_name).name != shard_name:
            raise FileError(index, f"names {shard_name!r}, which is not a file next to it; download it again")
    return weight_map


def _shards(index: Path, shard_by_name: Mapping[str, str]) -> Iterator[Path]:
    for shard_name in sorted(set(shard_by_name.values())):
        shard = index.with_name(shard_name)
        if not shard.is_file():
            raise FileError(shard, f"is missing, and {index.name} names it; download it again")
        yield shard


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds. Raise FileError when it is anything else."""
    with open_regular(path, "a JSON file") as (file, size_bytes):
        if size_bytes > MAX_JSON_BYTES:
            raise FileError(path, f"has {size_bytes:,} bytes, no JSON file of a model has so many; download it again")
        text = file.read(MAX_JSON_BYTES)
    try:
        value = json.loads(text.decode())
    except ValueError as exc:
        raise FileError(path, f"is not JSON ({exc}); download it again") from exc
    except RecursionError as exc:
        raise FileError(path, "is nested too deep; download it again") from exc
    if not isinstance(value, dict):
        raise FileError(path, "is not a JSON object; download it again")
    return value
