"""Describe LTX-2.3 22B as published, without its files: its config, and every tensor's name and shape.

data/ holds the `config` metadata of ltx-2.3-22b-distilled-1.1 and the constructor arguments of its latent upsampler.
"""

import json
from pathlib import Path
from typing import Any

from weights.checkpoint import Checkpoint, open_checkpoint
from weights.header import Header
from weights.published import published_tensors, upsampler_tensors

DATA = Path(__file__).parent / "data"

# Gemma 3 12B: 48 layers and the embedding.
TEXT_LAYERS = 49

GEMMA_12B: dict[str, Any] = {
    "hidden_size": 3840,
    "intermediate_size": 15360,
    "num_hidden_layers": TEXT_LAYERS - 1,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 256,
    "query_pre_attn_scalar": 256,
    "sliding_window": 1024,
}


def full_config() -> dict[str, Any]:
    """Return the `config` of the published checkpoint; a copy of the caller's own."""
    return _read("ltx-2.3-22b-distilled-1.1.json")


def full_upsampler_config() -> dict[str, Any]:
    """Return the `config` of the published upsampler; a copy of the caller's own."""
    return _read("ltx-2.3-spatial-upscaler-x2-1.1.json")


def full_checkpoint() -> Checkpoint:
    """Return the BF16 checkpoint without values. `use_fp8` decides which layers an FP8 file has in FP8."""
    config = full_config()
    tensors = published_tensors(config, TEXT_LAYERS)
    return open_checkpoint(Header(Path("LTX-2.3 22B"), {"config": json.dumps(config)}, tensors))


def full_upsampler() -> Header:
    """Return the upsampler's header without values."""
    config = full_upsampler_config()
    return Header(Path("upsampler"), {"config": json.dumps(config)}, upsampler_tensors(config))


def _read(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((DATA / name).read_text())
    return config
