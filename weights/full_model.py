"""Describe LTX-2.3 22B as published, without its files: every tensor's name, shape and dtype."""

import json
from pathlib import Path
from typing import Any

from weights.checkpoint import Checkpoint, open_checkpoint
from weights.full_config import full_config, full_upsampler_config
from weights.header import Header
from weights.published import published_tensors, upsampler_tensors

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


def full_checkpoint() -> Checkpoint:
    """Return the BF16 checkpoint without values. `use_fp8` decides which layers an FP8 file has in FP8."""
    config = full_config()
    tensors = published_tensors(config, TEXT_LAYERS)
    return open_checkpoint(Header(Path("LTX-2.3 22B"), {"config": json.dumps(config)}, tensors))


def full_upsampler() -> Header:
    """Return the upsampler's header without values."""
    config = full_upsampler_config()
    return Header(Path("upsampler"), {"config": json.dumps(config)}, upsampler_tensors(config))
