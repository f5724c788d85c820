"""Write checkpoints with random weights in the published scaled-FP8 layout, at any size."""

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from math import ceil, prod, sqrt
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

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
    """Write a checkpoint tensor by tensor, without ever holding it whole in memory.

    `takes` selects published names, and `is_fp8` those of them that are in FP8.
    """
    published = published_tensors(config, text_layers)
    infos = dict(_with_scales({name: info for name, info in published.items() if takes(name)}, is_fp8))
    entries: dict[str, Any] = {"__metadata__": {"config": json.dumps(config), "model_version": "2.3.0"}}
    offset = 0
    for name, info in infos.items():
        span = [offset, offset + info.size_bytes]
        entries[name] = {"dtype": info.dtype, "shape": list(info.shape), "data_offsets": span}
        offset = span[1]
    header = json.dumps(entries).encode()
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(0))
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for name, info in infos.items():
            for chunk in _values(name, info, infos, pool):
                file.write(chunk.to(TORCH_DTYPES[info.dtype]).view(torch.uint8).numpy().data)


def _with_scales(tensors: Mapping[str, TensorInfo], is_fp8: Callable[[str], bool]) -> Iterator[tuple[str, TensorInfo]]:
    for name, info in tensors.items():
        if not is_fp8(name):
            yield name, info
            continue
        yield name, TensorInfo("F8_E4M3", info.shape)
        yield f"{name}_scale", TensorInfo("F32", ())
        yield f"{name.removesuffix('.weight')}.input_scale", TensorInfo("F32", ())


def _values(name: str, info: TensorInfo, infos: Mapping[str, TensorInfo], pool: torch.Tensor) -> Iterator[torch.Tensor]:
    """Return values that keep the size of signals from layer to layer; norms, statistics and filters are realistic."""
    if name.endswith(".weight_scale"):
        yield torch.tensor([1 / (FP8_STD * sqrt(infos[name.removesuffix("_scale")].shape[1]))])
        return
    if name.endswith(".input_scale"):
        yield torch.tensor([INPUT_SCALE])
        return
    std, mean = _distribution(name, info)
    left = prod(info.shape)
    while left:
        count = min(left, POOL)
        yield pool[:count] * std + mean
        left -= count


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
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(1))
    tensors = {
        name: next(iter(_whole(info, pool))).to(torch.bfloat16) for name, info in upsampler_tensors(config).items()
    }
    save_file(tensors, path, {"config": json.dumps(config)})


def _whole(info: TensorInfo, pool: torch.Tensor) -> Iterator[torch.Tensor]:
    std, mean = _distribution("", info)
    count = prod(info.shape)
    values = pool if count <= POOL else pool.repeat(ceil(count / POOL))
    yield values[:count].mul(std).add(mean).reshape(info.shape)


def write_text_encoder(folder: Path, text_config: Mapping[str, Any]) -> None:
    """Write a Gemma 3 with the tiny model's tokenizer and vision tower, and a text model of any size."""
    from transformers import Gemma3ForConditionalGeneration

    from weights.tiny import byte_tokenizer, gemma_config

    tokenizer = byte_tokenizer()
    config = gemma_config(tokenizer, text_config)
    with torch.device("meta"):
        model = Gemma3ForConditionalGeneration(config)
    pool = torch.randn(POOL, generator=torch.Generator().manual_seed(2))
    tensors = {
        name: next(iter(_whole(TensorInfo("BF16", tuple(parameter.shape)), pool))).to(torch.bfloat16)
        for name, parameter in model.named_parameters()
    }
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
