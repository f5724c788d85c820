"""Write checkpoints with random weights in the published scaled-FP8 layout, at any size."""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from math import prod, sqrt
from pathlib import Path
from typing import Any

import torch

from weights.header import TensorInfo
from weights.published import published_tensors, upsampler_tensors

# Random enough for a benchmark: this many values, repeated.
POOL = 2**24

# Keeps FP8 values well within 448.
FP8_STD = 64.0
INPUT_SCALE = 0.02

TORCH_DTYPES = {"F8_E4M3": torch.float8_e4m3fn, "BF16": torch.bfloat16, "F32": torch.float32}


def write_checkpoint(
    path: Path, config: Mapping[str, Any], text_layers: int, takes: Callable[[str], bool], is_fp8: Callable[[str], bool]
) -> None:
    """Write a checkpoint. `takes` selects published names, and `is_fp8` those of them that are in FP8."""
    published = published_tensors(config, text_layers)
    infos = dict(_with_scales({name: info for name, info in published.items() if takes(name)}, is_fp8))
    _write(path, infos, {"config": json.dumps(config), "model_version": "2.3.0"})


def _write(path: Path, infos: Mapping[str, TensorInfo], metadata: Mapping[str, str]) -> None:
    """Write the tensors one after the other, without ever holding the file whole in memory."""
    entries: dict[str, Any] = {"__metadata__": metadata}
    offset = 0
    for name, info in infos.items():
        span = [offset, offset + info.size_bytes]
        entries[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": span}
        offset = span[1]
    header = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name, info in infos.items():
            values, left = _values(name, info, infos), info.size_bytes
            while left:
                left -= file.write(values[:left])


def _with_scales(tensors: Mapping[str, TensorInfo], is_fp8: Callable[[str], bool]) -> Iterator[tuple[str, TensorInfo]]:
    for name, info in tensors.items():
        if not is_fp8(name):
            yield name, info
            continue
        yield name, TensorInfo("F8_E4M3", info.shape)
        yield f"{name}_scale", TensorInfo("F32", ())
        yield f"{name.removesuffix('.weight')}.input_scale", TensorInfo("F32", ())


def _values(name: str, info: TensorInfo, infos: Mapping[str, TensorInfo]) -> memoryview:
    """Return the bytes that a tensor repeats.

    Its values keep the size of signals from layer to layer; norms, statistics and filters are realistic.
    """
    if name.endswith(".weight_scale"):
        return _pool(info.dtype, 0.0, 1 / (FP8_STD * sqrt(infos[name.removesuffix("_scale")].shape[1])))
    if name.endswith(".input_scale"):
        return _pool(info.dtype, 0.0, INPUT_SCALE)
    return _pool(info.dtype, *_distribution(name, info))


@cache
def _random() -> torch.Tensor:
    return torch.randn(POOL, generator=torch.Generator().manual_seed(0))


@lru_cache(maxsize=64)
def _pool(dtype: str, std: float, mean: float) -> memoryview:
    """Return the bytes of random values; of one that is always the same, if `std` is 0."""
    values = _random() * std + mean if std else torch.tensor([mean])
    return values.to(TORCH_DTYPES[dtype]).view(torch.uint8).numpy().data


def _distribution(name: str, info: TensorInfo) -> tuple[float, float]:
    if info.dtype == "F8_E4M3":
        return FP8_STD, 0.0
    if name.endswith(("norm.weight", "std-of-means")):
        return 0.0, 1.0
    if name.endswith(".filter"):
        return 0.0, 1 / info.shape[-1]
    if len(info.shape) == 1:
        return 0.02, 0.0
    return 1 / sqrt(prod(info.shape[1:])), 0.0


def write_upsampler(path: Path, config: Mapping[str, Any]) -> None:
    tensors = {name: TensorInfo("BF16", info.shape) for name, info in upsampler_tensors(config).items()}
    _write(path, tensors, {"config": json.dumps(config)})


def write_text_encoder(folder: Path, text_config: Mapping[str, Any]) -> None:
    """Write a Gemma 3 with the tiny model's tokenizer and vision tower, and a text model of any size."""
    from transformers import Gemma3ForConditionalGeneration

    from weights.tiny import byte_tokenizer, gemma_config

    tokenizer = byte_tokenizer()
    config = gemma_config(tokenizer, text_config)
    with torch.device("meta"):
        model = Gemma3ForConditionalGeneration(config)
    tensors = {name: TensorInfo("BF16", tuple(p.shape)) for name, p in model.named_parameters()}
    folder.mkdir()
    _write(folder / "model.safetensors", tensors, {"format": "pt"})
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
