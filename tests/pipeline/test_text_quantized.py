"""The text encoder in 8 and 4 bits, quantised while loading or stored quantised."""

import importlib
import json
import logging
import re
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from safetensors.torch import save_file
from torch import nn
from transformers import BitsAndBytesConfig, Gemma3ForConditionalGeneration

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.text_encoder import load_text_encoder, open_text_encoder, validate_text_encoder
from pipelines.ltx.text_quantized import TextQuantization
from tests.pipeline.four_bits import force_avx512_bf16
from tests.pipeline.gemma import (
    CPU,
    TOKENIZER_FILES,
    Tensors,
    copy_of,
    hidden_states,
    new_names,
    single_file_names,
    tensors_of,
    write_gemma,
)
from weights.errors import TensorError, UnsupportedError
from weights.tiny import TinyFiles

INT8, NF4 = TextQuantization.INT8, TextQuantization.NF4

# Half of the widest gap between NF4's 16 values (-1 to -0.6962), relative to the largest of 64 weights.
NF4_ROUNDING, NF4_BLOCK = 0.152, 64
# 127 steps up to the largest value of a row.
INT8_ROUNDING = 0.5 / 127

# Relative root mean square of the rounding of random weights (in 8 bits, of activations too).
ROUNDING_RMS = {INT8: 0.01, NF4: 0.095}

# The tiny model has three layers of five consecutive matrix products.
PRODUCTS = 15

# One token per byte: it fills the context, unlike a short prompt.
LONG_PROMPT = "a red fox runs through deep snow, " * 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma(tmp_path_factory.mktemp("gemma") / "plain")


def stored(folder: Path, target: Path, **options: object) -> Path:
    """Write a folder as published: quantised and saved by transformers."""
    config = BitsAndBytesConfig(**options)
    model = Gemma3ForConditionalGeneration.from_pretrained(
        folder, dtype=torch.bfloat16, quantization_config=config, device_map={"": CPU}
    )
    model.save_pretrained(target)
    for name in TOKENIZER_FILES:
        (target / name).write_bytes((folder / name).read_bytes())
    return target


@pytest.fixture(scope="module")
def stored_4bit(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a 4-bit folder with unsloth's options, except for arithmetic in float16."""
    return stored(
        folder,
        tmp_path_factory.mktemp("gemma") / "4bit",
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float16,
        llm_int8_skip_modules=["lm_head", "multi_modal_projector", "vision_tower"],
    )


def load(folder: Path, quantization: TextQuantization, dtype: torch.dtype = torch.float32) -> nn.Module:
    source = open_text_encoder(folder, quantization)
    validate_text_encoder(source, source.width)
    return load_text_encoder(source, CPU, dtype)


def quantized(model: nn.Module, dtype: torch.dtype) -> dict[str, Any]:
    return {name: module for name, module in model.named_modules() if getattr(module, "weight", None) is not None
            and module.weight.dtype == dtype}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_4_bit_weights_are_nf4_within_rounding(dtype: torch.dtype, folder: Path) -> None:
    exact = tensors_of(folder)
    linears = quantized(load(folder, NF4, dtype), torch.uint8)

    assert len(linears) == 6 * 7
    for name, linear in linears.items():
        weight = exact[f"language_model.model.{name}.weight"].float()
        blocks = weight.reshape(-1, NF4_BLOCK).abs().amax(1, keepdim=True).expand(-1, NF4_BLOCK).reshape(weight.shape)
        values = dequantize_4bit(linear.weight.data, linear.weight.quant_state).float()
        assert linear.weight.quant_state.quant_type == "nf4"
        assert linear.weight.nbytes == weight.numel() / 2
        assert linear.compute_dtype == dtype
        assert ((values - weight).abs() <= (NF4_ROUNDING + 2**-8) * blocks).all(), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_8_bit_weights_are_within_rounding(dtype: torch.dtype, folder: Path) -> None:
    exact = tensors_of(folder)
    linears = quantized(load(folder, INT8, dtype), torch.int8)

    assert len(linears) == 6 * 7
    for name, linear in linears.items():
        weight = exact[f"language_model.model.{name}.weight"].float()
        largest = weight.abs().amax(1, keepdim=True)
        values = linear.weight.data.float() * linear.weight.SCB.unsqueeze(1) / 127
        # Scales are stored in float16, and weights are rounded from it.
        assert ((values - weight).abs() <= (INT8_ROUNDING + 2**-10) * largest).all(), name


@pytest.fixture(params=[False, True], ids=["any CPU", "avx512_bf16"])
def packed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return the shapes of the weights that were repacked for the instruction set and used."""
    return force_avx512_bf16(monkeypatch, request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("quantization", [INT8, NF4])
def test_a_context_is_close_to_the_unquantised_one(
    quantization: TextQuantization, dtype: torch.dtype, packed: list[tuple[int, ...]], random_tiny: TinyFiles
) -> None:
    files = WeightFiles(random_tiny.checkpoint, random_tiny.text_encoder, random_tiny.upsampler)
    reports: list[tuple[str, int, int]] = []

    def context(components: Components) -> torch.Tensor:
        with torch.inference_mode():
            return components.encode_prompt(LONG_PROMPT).video.float()

    found = context(
        load_components(files, CPU, dtype, lambda *report: reports.append(report), text_quantization=quantization)
    )
    expected = context(load_components(files, CPU, dtype))

    *_, (name, done_bytes, total_bytes) = reports
    assert name == "text_encoder"
    assert 0 < done_bytes < total_bytes
    assert len(packed) in (0, 3 * 7)
    error = float((found - expected).norm() / expected.norm())
    print(quantization, dtype, f"{error:.1e}")
    assert 0 < error < sqrt(PRODUCTS) * ROUNDING_RMS[quantization]


SPELLINGS: dict[str, Callable[[Tensors], Tensors]] = {
    "as saved": dict,
    "new names": new_names,
    "published vision tower": lambda found: {
        name.replace("vision_tower.", "vision_tower.vision_model."): tensor for name, tensor in found.items()
    },
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("asked", [TextQuantization.NONE, NF4])
def test_a_stored_4_bit_folder_needs_no_setting(
    asked: TextQuantization, spelling: str, packed: list[tuple[int, ...]], stored_4bit: Path, tmp_path: Path
) -> None:
    """It multiplies in the model's dtype whatever its config says, because Gemma 3 does not work in float16."""
    reference = Gemma3ForConditionalGeneration.from_pretrained(stored_4bit, dtype=torch.float32, device_map={"": CPU})
    linears = quantized(reference.model.language_model, torch.uint8)
    for linear in linears.values():
        linear.compute_dtype = torch.float32
    spelt = copy_of(stored_4bit, tmp_path / "spelt", SPELLINGS[spelling](tensors_of(stored_4bit)))

    source = open_text_encoder(spelt, asked)
    model = load_text_encoder(source, CPU, torch.float32)

    assert {linear.compute_dtype for linear in quantized(model, torch.uint8).values()} == {torch.float32}
    expected = hidden_states(reference.model.language_model, source.tokenizer)
    assert torch.equal(hidden_states(model, source.tokenizer), expected)


def test_a_stored_8_bit_folder_equals_one_quantised_while_loading(folder: Path, tmp_path: Path) -> None:
    source = open_text_encoder(stored(folder, tmp_path / "8bit", load_in_8bit=True))

    found = hidden_states(load_text_encoder(source, CPU, torch.bfloat16), source.tokenizer)

    assert source.quantization is INT8
    assert torch.equal(found, hidden_states(load(folder, INT8, torch.bfloat16), source.tokenizer))


def test_8_bits_from_a_4_bit_folder_are_refused(stored_4bit: Path) -> None:
    with pytest.raises(UnsupportedError, match="holds 4bit weights, --text-encoder-quantization 8bit was asked for"):
        open_text_encoder(stored_4bit, INT8)


def test_quantising_a_single_file_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "gemma.safetensors"
    save_file(single_file_names(tensors_of(folder)), path)

    with pytest.raises(UnsupportedError, match="is a single file; --text-encoder-quantization 4bit needs the folder"):
        open_text_encoder(path, NF4)


def test_other_quantisations_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path / "gptq")
    config = json.loads((copy / "config.json").read_text()) | {"quantization_config": {"quant_method": "gptq"}}
    (copy / "config.json").write_text(json.dumps(config))

    with pytest.raises(UnsupportedError, match="is quantised by gptq, which is not read here"):
        open_text_encoder(copy)


@pytest.mark.parametrize(
    "suffix", ["q_norm.weight", "q_proj.weight", "q_proj.weight.absmax", "q_proj.weight.quant_map"]
)
def test_a_tensor_missing_in_a_quantised_folder_is_named(suffix: str, stored_4bit: Path, tmp_path: Path) -> None:
    tensors = tensors_of(stored_4bit)
    del tensors[f"language_model.model.layers.1.self_attn.{suffix}"]

    with pytest.raises(TensorError, match=rf"missing tensor .*layers\.1\.self_attn\.{re.escape(suffix)}'"):
        load(copy_of(stored_4bit, tmp_path / "lacking", tensors), TextQuantization.NONE)


def test_a_tensor_missing_while_weights_are_quantised_is_named(folder: Path, tmp_path: Path) -> None:
    tensors = tensors_of(folder)
    del tensors["language_model.model.layers.1.self_attn.q_proj.weight"]

    with pytest.raises(TensorError, match=r"missing tensor .*layers\.1\.self_attn\.q_proj\.weight"):
        load(copy_of(folder, tmp_path / "lacking", tensors), NF4)


def test_every_matrix_of_the_tiny_model_fits_the_kernel_of_every_cpu(
    tiny: TinyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = force_avx512_bf16(monkeypatch, True)
    exact = {name: tuple(tensor.shape) for name, tensor in tensors_of(tiny.text_encoder).items()}

    source = open_text_encoder(tiny.text_encoder, NF4)
    hidden_states(load_text_encoder(source, CPU, torch.bfloat16), source.tokenizer)

    matrices = [shape for name, shape in exact.items() if "language_model.model.layers" in name and len(shape) == 2]
    assert sorted(packed) == sorted(matrices)
    assert len(matrices) == 3 * 7


@pytest.mark.parametrize("widths", [{"hidden_size": 32}, {"head_dim": 8}, {"intermediate_size": 96}])
def test_a_matrix_that_some_cpus_cannot_multiply_is_refused_on_all(widths: dict[str, int], tmp_path: Path) -> None:
    folder = write_gemma(tmp_path / "odd", **widths)

    with pytest.raises(UnsupportedError) as caught:
        load(folder, NF4)

    assert re.fullmatch(
        rf"{folder}: cannot be loaded in 4bit on a CPU: layers\.0\.\S+\.weight is \d+ x \d+, and bitsandbytes needs a "
        r"multiple of 32 x 64; give --text-encoder-quantization none with plain weights, or a CUDA device",
        str(caught.value),
    )


def test_no_warning_of_bitsandbytes_about_its_optional_kernel_is_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It warns when it is imported on a CPU with avx512_bf16. The test repeats the import after a load."""
    operators = importlib.import_module("bitsandbytes.backends.cpu.ops")
    monkeypatch.setattr("bitsandbytes.functional.has_avx512bf16", lambda: True)
    monkeypatch.setattr("bitsandbytes._ops.register_kernel", lambda *_: lambda function: function)

    logging.getLogger(operators.__name__).setLevel(logging.NOTSET)
    importlib.reload(operators)
    assert "kernels" in caplog.text
    caplog.clear()
    load(folder, INT8)
    importlib.reload(operators)

    assert caplog.records == []


@pytest.mark.parametrize("quantization", [TextQuantization.NONE, INT8, NF4])
def test_a_text_only_gemma_is_the_same_text_encoder(
    quantization: TextQuantization, folder: Path, tmp_path: Path
) -> None:
    """Gemma3ForCausalLM saves the text model's config at the top level, and its tensors under `model.`."""
    text_only = copy_of(folder, tmp_path / "text_only", text_only_names(tensors_of(folder)))
    config = json.loads((folder / "config.json").read_text())["text_config"]
    (text_only / "config.json").write_text(json.dumps(config | {"architectures": ["Gemma3ForCausalLM"]}))

    source = open_text_encoder(text_only, quantization)
    found = hidden_states(load_text_encoder(source, CPU, torch.float32), source.tokenizer)

    assert config["model_type"] == "gemma3_text"
    assert torch.equal(found, hidden_states(load(folder, quantization), source.tokenizer))


def text_only_names(tensors: Tensors) -> Tensors:
    prefix = "language_model."
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
