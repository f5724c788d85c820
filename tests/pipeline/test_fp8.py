"""The FP8 Linear by itself, and BF16 weights that are quantised while they load."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.ltx.components import fits_plain, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode, choose_fp8_mode, dequantized, project, resolve_fp8_mode
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.text_quantized import TextQuantization
from pipelines.memory import DEFAULT_CLIP, RESERVED_BYTES, MemoryLevel
from tests.diffusers_folder import write_folder
from weights.load import quantize
from weights.published import published_tensors
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS

CPU, CUDA = torch.device("cpu"), torch.device("cuda")

# Rounding to nearest in E4M3: a relative error of half of 2^-3; below 2^-6, half of 2^-9 of the scale.
RELATIVE, ABSOLUTE = 2**-4, 2**-10


def linear(weight: torch.Tensor, input_scale: float | None = None, bias: torch.Tensor | None = None) -> Fp8Linear:
    layer = Fp8Linear(weight.shape[1], weight.shape[0], bias is not None, static=input_scale is not None)
    quantized, scale = quantize(weight)
    layer.weight, layer.weight_scale = torch.nn.Parameter(quantized, requires_grad=False), scale
    if input_scale is not None:
        layer.input_scale = torch.tensor(input_scale)
    if bias is not None:
        layer.bias = torch.nn.Parameter(bias, requires_grad=False)
    return layer


def test_quantising_keeps_every_weight_within_its_rounding() -> None:
    weight = torch.randn(64, 48, generator=torch.Generator().manual_seed(0)) * 3
    quantized, scale = quantize(weight)

    assert quantized.dtype == torch.float8_e4m3fn
    assert float(quantized.float().abs().max()) == 448
    assert ((quantized.float() * scale - weight).abs() <= RELATIVE * weight.abs() + ABSOLUTE * scale).all()


def test_a_weight_of_zeros_stays_zero() -> None:
    quantized, scale = quantize(torch.zeros(16, 16))

    assert torch.isfinite(scale)
    assert not quantized.float().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("static", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("shape", [(48,), (5, 48), (2, 3, 48)])
def test_the_error_of_a_product_is_within_the_rounding_of_activations(
    shape: tuple[int, ...], static: bool, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=generator)
    scale = float(x.abs().max()) / 448
    layer = linear(
        torch.randn(32, 48, generator=generator), scale if static else None, torch.randn(32, generator=generator)
    )

    assert layer.bias is not None
    layer.bias.data = layer.bias.to(dtype)

    product = layer(x.to(dtype))

    layer.bias.data = layer.bias.float()
    exact = dequantized(layer, x)
    weight = (layer.weight.float() * layer.weight_scale).abs()
    # A row's own scale is the next power of two, at most twice as large.
    bound = (RELATIVE * x.abs() + ABSOLUTE * scale * (1 if static else 2)) @ weight.T
    if dtype == torch.bfloat16:
        bound = bound + 2**-7 * (x.abs() @ weight.T + 3)
    assert product.dtype == dtype
    assert product.shape == (*shape[:-1], 32)
    assert ((product.float() - exact).abs() <= 1.01 * bound + 1e-5).all()


def test_layers_of_one_input_compute_together_what_they_compute_alone() -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, 5, 48, generator=generator)
    layers: list[torch.nn.Module] = [
        linear(torch.randn(32, 48, generator=generator)),
        linear(torch.randn(16, 48, generator=generator), bias=torch.randn(16, generator=generator)),
        linear(torch.randn(16, 48, generator=generator), input_scale=0.01),
        torch.nn.Linear(48, 3),
    ]

    for together, layer in zip(project(x, *layers), layers, strict=True):
        assert torch.equal(together, layer(x))


def test_activations_beyond_the_static_scale_are_clamped() -> None:
    layer = linear(torch.eye(16), input_scale=1.0)

    product = layer(torch.tensor([[1e6] + [1.0] * 15]))

    assert torch.isfinite(product).all()
    torch.testing.assert_close(product, torch.tensor([[448.0] + [1.0] * 15]), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_keeps_its_values_beside_one_of_large_values(dtype: torch.dtype) -> None:
    x = torch.randn(3, 48, generator=torch.Generator().manual_seed(3)).to(dtype)
    x = x * torch.tensor([[1.0], [2.0**40], [0.0]], dtype=dtype)
    layer = linear(torch.randn(32, 48, generator=torch.Generator().manual_seed(4)))

    product = layer(x)

    assert torch.equal(product[:1], layer(x[:1]))
    assert not product[2].any()


def test_fp8_arithmetic_is_available_on_a_cpu_but_not_the_default() -> None:
    assert resolve_fp8_mode("auto", CPU).mode is Fp8Mode.DEQUANTIZE
    assert resolve_fp8_mode("scaled", CPU).mode is Fp8Mode.SCALED


@pytest.mark.parametrize(
    ("card", "compiled", "fits", "mode"),
    [
        (True, True, True, Fp8Mode.SCALED),
        (True, True, False, Fp8Mode.SCALED),
        (True, False, True, Fp8Mode.DEQUANTIZE),
        (True, False, False, Fp8Mode.SCALED),
        (False, True, False, Fp8Mode.DEQUANTIZE),
        (False, False, True, Fp8Mode.DEQUANTIZE),
    ],
)
def test_auto_is_what_is_faster_and_fits(card: bool, compiled: bool, fits: bool, mode: Fp8Mode) -> None:
    assert choose_fp8_mode(card, compiled, lambda: fits).mode is mode


def test_plain_weights_fit_if_the_transformer_stays_on_the_device(tiny: TinyFiles) -> None:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)

    def fits(memory: MemoryLevel | None, capacity_bytes: int, device: torch.device = CUDA) -> bool:
        return fits_plain(files, device, torch.float32, TextQuantization.NONE, memory, capacity_bytes)

    needed = load_components(files, CPU, torch.float32).plan.peak_bytes(DEFAULT_CLIP) + RESERVED_BYTES
    assert fits(None, needed, CPU)
    assert not fits(None, needed - 1, CPU)
    assert fits(MemoryLevel.BALANCED, needed)
    assert not fits(MemoryLevel.LOW, needed)


@pytest.fixture
def six_blocks(tiny: TinyFiles, tmp_path: Path) -> WeightFiles:
    """Write the tiny model with six blocks, so that one lies between the first four and the last."""
    config = CHECKPOINT_CONFIG | {"transformer": CHECKPOINT_CONFIG["transformer"] | {"num_layers": 6}}
    tensors = load_file(tiny.checkpoint)
    for name, info in published_tensors(config, TEXT_LAYERS + 1).items():
        tensors.setdefault(name, torch.randn(info.shape).to(torch.float32 if info.dtype == "F32" else torch.bfloat16))
    path = tmp_path / "six.safetensors"
    save_file(tensors, path, {"config": json.dumps(config)})
    return WeightFiles(path, tiny.text_encoder, tiny.upsampler)


def load_fp8_layers(files: WeightFiles, mode: Fp8Mode = Fp8Mode.SCALED) -> dict[str, Fp8Linear]:
    transformer = load_components(files, CPU, torch.float32, fp8=mode).transformer
    return {name: module for name, module in transformer.named_modules() if isinstance(module, Fp8Linear)}


def test_bf16_weights_are_quantised_while_loading(six_blocks: WeightFiles) -> None:
    """The first four blocks and the last are not quantised, as in the official file."""
    fp8 = load_fp8_layers(six_blocks)

    assert {name.split(".")[1] for name in fp8} == {"4"}
    name = "transformer_blocks.4.attn1.to_q"
    stored = load_file(six_blocks.checkpoint)[f"model.diffusion_model.{name}.weight"].float()
    values = fp8[name].weight.float() * fp8[name].weight_scale
    assert ((values - stored).abs() <= RELATIVE * stored.abs() + ABSOLUTE * fp8[name].weight_scale).all()


def test_all_blocks_are_quantised_while_loading_if_asked(six_blocks: WeightFiles) -> None:
    official, every = load_fp8_layers(six_blocks), load_fp8_layers(six_blocks, Fp8Mode.SCALED_ALL)

    assert {name.split(".")[1] for name in every} == {"0", "1", "2", "3", "4", "5"}
    assert len(every) == 6 * len(official)
    for name, layer in official.items():
        assert torch.equal(layer.weight.float(), every[name].weight.float()), name


def test_a_diffusers_folder_is_quantised_to_the_same_values(six_blocks: WeightFiles, tmp_path: Path) -> None:
    folder = write_folder(six_blocks, tmp_path / "folder")
    found = load_fp8_layers(replace(six_blocks, checkpoint=folder))

    expected = load_fp8_layers(six_blocks)
    assert found.keys() == expected.keys()
    for name, layer in found.items():
        assert torch.equal(layer.weight.float(), expected[name].weight.float()), name
        assert layer.weight_scale == expected[name].weight_scale
