"""Recognise generations of LTX and published layouts by their tensors alone."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from weights.checkpoint import open_checkpoint
from weights.errors import UnsupportedError
from weights.generation import Generation, detect_generation
from weights.header import Header, TensorInfo
from weights.inspect import inspect
from weights.names import MODEL
from weights.published import published_tensors
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS

Tensors = Mapping[str, TensorInfo]


@pytest.fixture
def tensors() -> dict[str, TensorInfo]:
    return published_tensors(CHECKPOINT_CONFIG, TEXT_LAYERS + 1)


def without(tensors: Tensors, *parts: str) -> dict[str, TensorInfo]:
    return {name: info for name, info in tensors.items() if not any(part in name for part in parts)}


def test_each_generation_is_recognised(tensors: dict[str, TensorInfo]) -> None:
    keyframes = tensors | {f"{MODEL}keyframes_abs_pos_embedding": TensorInfo("BF16", (1, 48))}

    assert detect_generation(tensors) is Generation.LTX_2_3
    assert detect_generation(without(tensors, "prompt_adaln")) is Generation.LTX_2_0
    assert detect_generation(without(tensors, "audio_", "av_ca")) is Generation.LTX_VIDEO
    assert detect_generation(keyframes) is Generation.LTX_2_5
    assert detect_generation(without(tensors, ".ff.net.2.bias")) is Generation.LTX_2_5
    assert detect_generation(["encoder.conv_in.weight"]) is None


@pytest.mark.parametrize(
    ("parts", "generation"),
    [(["prompt_adaln"], "LTX-2.0"), (["audio_", "av_ca"], "LTX-Video 0.9"), ([".ff.net.2.bias"], "2.5")],
)
def test_another_generation_is_refused_by_its_name(
    parts: list[str], generation: str, tensors: dict[str, TensorInfo]
) -> None:
    header = Header(Path("other.safetensors"), {"config": json.dumps(CHECKPOINT_CONFIG)}, without(tensors, *parts))

    with pytest.raises(UnsupportedError, match=rf"other\.safetensors: is .*{generation}; this server runs LTX-2\.3"):
        open_checkpoint(header)


def test_inspect_describes_a_single_file_checkpoint(tiny: TinyFiles) -> None:
    found = inspect(tiny.checkpoint)

    assert (found.layout, found.generation, found.missing) == ("one file, BF16", Generation.LTX_2_3, ())
    assert found.holds == ("transformer", "video VAE", "audio VAE", "text projection")
    assert sum(count for count, _ in found.dtypes.values()) == len(load_file(tiny.checkpoint))
    assert found.has_config


def test_inspect_describes_companions_and_the_upsampler(tiny: TinyFiles, tmp_path: Path) -> None:
    vae = {n.removeprefix("vae."): t for n, t in load_file(tiny.checkpoint).items() if n.startswith("vae.")}
    save_file(vae, tmp_path / "vae.safetensors")

    assert inspect(tiny.upsampler).layout == "latent upsampler"
    assert inspect(tiny.text_encoder / "model.safetensors").layout.startswith("text encoder: Gemma 3")
    assert inspect(tmp_path / "vae.safetensors").layout == "video VAE"


@pytest.mark.parametrize(
    ("scales", "layout"),
    [
        ((), "FP8 cast without scales"),
        (("weight_scale",), "scaled FP8, dynamic activations"),
        (("weight_scale", "input_scale"), "scaled FP8, static activations"),
        (("scale_weight",), "scaled FP8, dynamic activations"),
    ],
)
def test_inspect_describes_fp8_by_its_scales(
    scales: tuple[str, ...], layout: str, tiny: TinyFiles, tmp_path: Path
) -> None:
    layer = f"{MODEL}transformer_blocks.0.attn1.to_q"
    tensors = {name: tensor for name, tensor in load_file(tiny.checkpoint).items() if name.startswith(MODEL)}
    tensors[f"{layer}.weight"] = tensors[f"{layer}.weight"].to(torch.float8_e4m3fn)
    save_file(tensors | {f"{layer}.{scale}": torch.tensor(0.5) for scale in scales}, tmp_path / "fp8.safetensors")

    found = inspect(tmp_path / "fp8.safetensors")

    assert found.layout == f"transformer, {layout}"
    assert found.missing == ("video VAE", "audio VAE", "text projection")
