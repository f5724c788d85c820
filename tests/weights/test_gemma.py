"""Gemma 3 12B as published: its architecture from the shapes of its tensors, and how `inspect` describes its files."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Gemma3TextConfig, Gemma3TextModel

from tests.weights.test_published_files import sparse_file
from weights.gemma import infer_gemma
from weights.header import TensorInfo
from weights.inspect import inspect
from weights.names import TEXT_ENCODER
from weights.tiny import TinyFiles

# text_config of google/gemma-3-12b-it, as published.
PUBLISHED: dict[str, Any] = {
    "hidden_size": 3840,
    "intermediate_size": 15360,
    "num_attention_heads": 16,
    "num_hidden_layers": 48,
    "num_key_value_heads": 8,
    "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    "sliding_window": 1024,
}

Tensors = dict[str, TensorInfo]


def published_config() -> Gemma3TextConfig:
    return Gemma3TextConfig(**deepcopy(PUBLISHED))


@pytest.fixture(scope="module")
def model() -> Tensors:
    """Return the tensors under the module's own names."""
    with torch.device("meta"):
        module = Gemma3TextModel(published_config())
    return {name: TensorInfo("BF16", tuple(tensor.shape)) for name, tensor in module.state_dict().items()}


def comfy_fp8(model: Tensors) -> Tensors:
    found = {
        "spiece_model": TensorInfo("U8", (4_689_074,)),
        "vision_model.post_layernorm.weight": TensorInfo("BF16", (1152,)),
    }
    for name, info in model.items():
        found[f"model.{name}"] = info
        if name.startswith("layers.") and len(info.shape) == 2:
            layer = name.removesuffix(".weight")
            found[f"model.{name}"] = TensorInfo("F8_E4M3", info.shape)
            found[f"model.{layer}.weight_scale"] = TensorInfo("F32", ())
            found[f"model.{layer}.comfy_quant"] = TensorInfo("U8", (27,))
    return found


def test_the_shapes_give_the_published_architecture(model: Tensors) -> None:
    found = Gemma3TextConfig(**infer_gemma(comfy_fp8(model)))

    assert found.to_dict() == published_config().to_dict()


@pytest.mark.parametrize("prefix", ["language_model.model.", "model.language_model.", "model."])
def test_exactly_the_names_of_the_text_model_are_loaded(prefix: str, model: Tensors) -> None:
    unused = ["vision_tower.vision_model.a", "model.vision_tower.a", "vision_model.a", "multi_modal_projector.a"]
    unused += ["model.multi_modal_projector.a", "lm_head.weight", "language_model.lm_head.weight", "spiece_model"]

    found = TEXT_ENCODER.select([*(prefix + name for name in model), *unused])

    assert found == {prefix + name: name for name in model}


def test_inspect_describes_comfys_single_file(model: Tensors, tmp_path: Path) -> None:
    path = sparse_file(tmp_path / "gemma.safetensors", comfy_fp8(model))

    expected = "text encoder: Gemma 3 12B, 48 layers of width 3840, scaled FP8, tokenizer inside"
    assert inspect(path).layout == expected


def test_inspect_describes_a_shard(model: Tensors, tmp_path: Path) -> None:
    shard = {f"language_model.model.{name}": info for name, info in model.items() if name.startswith("layers.3")}

    found = inspect(sparse_file(tmp_path / "model-00002-of-00005.safetensors", shard))
    assert found.layout == "text encoder: Gemma 3, one of several shards, BF16"


@pytest.mark.parametrize(
    ("beside", "precision"),
    [
        ("weight.quant_state.bitsandbytes__nf4", "4 bits by bitsandbytes"),
        ("SCB", "8 bits by bitsandbytes"),
        ("comfy_quant", "BF16"),
    ],
)
def test_inspect_describes_the_tiny_model_and_quantisation(
    beside: str, precision: str, tiny: TinyFiles, tmp_path: Path
) -> None:
    tensors = load_file(tiny.text_encoder / "model.safetensors")
    layer = "language_model.model.layers.0.mlp.up_proj"
    save_file(tensors | {f"{layer}.{beside}": torch.zeros(1)}, tmp_path / "model.safetensors")

    found = inspect(tmp_path / "model.safetensors")
    assert found.layout == f"text encoder: Gemma 3 of no published size, 3 layers of width 64, {precision}"


def test_inspect_describes_an_older_gemma(model: Tensors, tmp_path: Path) -> None:
    older = {f"model.{name}": info for name, info in model.items() if "_norm.weight" not in name}

    assert inspect(sparse_file(tmp_path / "model.safetensors", older)).layout == "text encoder: no Gemma 3, BF16"
