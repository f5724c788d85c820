"""A model of a Hugging Face folder: one safetensors file, or several and an index that lists them."""

import json
from pathlib import Path

from weights.checkpoint import Checkpoint, StoredTensor, canonical_tensors
from weights.errors import FileError, UnsupportedError
from weights.header import read_header


def open_shards(folder: Path, stem: str = "model") -> Checkpoint:
    """Raises WeightsError when a file is missing or cut short, or the weights are no safetensors."""
    stored: dict[str, StoredTensor] = {}
    for path in shard_paths(folder, stem):
        stored |= canonical_tensors(read_header(path))
    return Checkpoint(folder, stored, config={})


def shard_paths(folder: Path, stem: str = "model") -> tuple[Path, ...]:
    """`model.safetensors`, or the files that `model.safetensors.index.json` lists."""
    single, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
    if single.is_file():
        return (single,)
    if not index.is_file():
        raise _no_weights(folder, single.name, index.name)
    shards = tuple(folder / name for name in _listed_files(index))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise FileError(folder, f"{missing[0]} is missing, one of the {len(shards)} files that {index.name} lists")
    return shards


def _listed_files(index: Path) -> list[str]:
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
        return sorted(Path(name).name for name in names)
    except OSError as exc:
        raise FileError(index, f"cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise FileError(index, f"is not the index of a safetensors model: {exc!r}") from exc


def _no_weights(folder: Path, single: str, index: str) -> FileError | UnsupportedError:
    """Pickled weights are never read: a pickle may run any program."""
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in folder.glob(pattern))
    if pickles:
        return UnsupportedError(folder, f"holds {pickles[0]}, a pickle, which is never read; safetensors is needed: "
                                        f"{single}, or shards with {index}")  # fmt: skip
    return FileError(folder, f"holds neither {single} nor {index}{hint_of_file(folder)}")


def hint_of_file(folder: Path) -> str:
    """Where a folder is no model, but holds a file that may be one."""
    files = sorted(folder.glob("*.safetensors"))
    return f"; to use a single file give its own path, such as {files[0]}" if files else ""
