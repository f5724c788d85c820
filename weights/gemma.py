"""Infer the architecture of Gemma 3's text model from the shapes of its tensors, for files without a config."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from weights.header import TensorInfo
from weights.names import TEXT_ENCODER
from weights.quantization import is_sidecar

# Shapes cannot give these: text_config of google/gemma-3-12b-it where Gemma3TextConfig has a different default
# (sliding_window 4096, no scaling of the full-attention RoPE). All else is as in transformers: rope_theta 1e6 and 1e4,
# full attention in every sixth layer, rms_norm_eps 1e-6, query_pre_attn_scalar 256.
GEMMA_3_CONSTANTS: dict[str, Any] = {
    "sliding_window": 1024,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}

# ComfyUI keeps the sentencepiece model inside the file, as a U8 vector: comfy/sd.py, tokenizer_data["spiece_model"].
TOKENIZER_TENSOR = "spiece_model"

# (layers, width) of the published sizes.
GEMMA_3_SIZES = {(26, 1152): "1B", (34, 2560): "4B", (48, 3840): "12B", (62, 5376): "27B"}

LAYER = re.compile(r"layers\.(\d+)\.")


def infer_gemma(tensors: Mapping[str, TensorInfo]) -> dict[str, Any]:
    """Return the arguments of Gemma3TextConfig. tensors: by published name. KeyError names a missing tensor."""
    model = text_tensors(tensors)
    vocab_size, hidden_size = model["embed_tokens.weight"].shape
    (head_dim,) = model["layers.0.self_attn.q_norm.weight"].shape
    return {
        **deepcopy(GEMMA_3_CONSTANTS),
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "head_dim": head_dim,
        "num_hidden_layers": count_layers(model),
        "num_attention_heads": model["layers.0.self_attn.q_proj.weight"].shape[0] // head_dim,
        "num_key_value_heads": model["layers.0.self_attn.k_proj.weight"].shape[0] // head_dim,
        "intermediate_size": model["layers.0.mlp.gate_proj.weight"].shape[0],
    }


def text_tensors(tensors: Mapping[str, TensorInfo]) -> dict[str, TensorInfo]:
    """Return the tensors of the text model by their names in it, without scales."""
    names = TEXT_ENCODER.select(name for name in tensors if not is_sidecar(name))
    return {name: tensors[published] for published, name in names.items()}


def count_layers(model: Mapping[str, TensorInfo]) -> int:
    return len({match[1] for name in model if (match := LAYER.match(name))})
