"""Tests that need a GPU; skipped without one."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from pipelines.ltx.components import Components, load_components
from pipelines.ltx.decode import decode_video
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode, dequantized, has_fp8_arithmetic
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.memory import MemoryLevel
from pipelines.render import render
from pipelines.spec import GenerationSpec
from weights.load import quantize
from weights.tiny import TinyFiles

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
SPEC = GenerationSpec("a fox", 1, 256, 256, 25, Fraction(24))
Load = Callable[..., Components]


@pytest.fixture
def load(tiny: TinyFiles) -> Load:
    files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
    return lambda device=CUDA, dtype=torch.float32, **options: load_components(files, device, dtype, **options)


def final_latent(components: Components) -> torch.Tensor:
    class Recorder(Trace):
        def tensors(self, **tensors: torch.Tensor) -> None:
            kept.update(tensors)

    kept: dict[str, torch.Tensor] = {}
    generate(components, SPEC, Recorder())
    return kept["stage_2_video"]


def test_all_weights_are_on_the_gpu_and_a_clip_is_rendered(load: Load, tmp_path: Path) -> None:
    components = load(dtype=torch.bfloat16)

    assert {parameter.device.type for module in components.modules() for parameter in module.parameters()} == {"cuda"}
    info, _ = render(components, SPEC, tmp_path / "clip.mp4", Trace())
    assert info.num_frames == SPEC.num_frames


@pytest.mark.parametrize("level", [MemoryLevel.BALANCED, MemoryLevel.LOW])
def test_streaming_from_pinned_memory_gives_the_same_result(level: MemoryLevel, load: Load) -> None:
    resident, streamed = load(), load(memory=level)

    # The second pass is the first that prefetches.
    for _ in range(3):
        assert torch.equal(final_latent(streamed), final_latent(resident))
    layers = streamed.encode_prompt.modules[0].layers
    assert isinstance(layers, torch.nn.Module)
    blocks = layers.parameters()
    assert all(parameter.device.type == "cpu" and parameter.is_pinned() for parameter in blocks)


def test_decoded_frames_equal_those_of_the_cpu(load: Load) -> None:
    latent = torch.randn(1, 128, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    frames = [torch.from_numpy(f).int() for f in decode_video(latent, load(CPU).video_vae)]
    on_card = [torch.from_numpy(f).int() for f in decode_video(latent.to(CUDA), load().video_vae)]

    assert (torch.cat(frames) - torch.cat(on_card)).abs().max() <= 1


@pytest.mark.parametrize("static", [False, True])
@torch.inference_mode()
def test_the_scaled_matmul_is_close_to_the_dequantised_one(static: bool) -> None:
    if not has_fp8_arithmetic(CUDA):
        pytest.skip("this card does not multiply FP8")
    x = torch.randn(300, 512, device=CUDA, dtype=torch.bfloat16)
    linear = Fp8Linear(512, 256, bias=True, static=static)
    weight, linear.weight_scale = quantize(torch.randn(256, 512, device=CUDA) / 512**0.5)
    linear.weight = torch.nn.Parameter(weight, requires_grad=False)
    linear.bias = torch.nn.Parameter(torch.randn(256, device=CUDA, dtype=torch.bfloat16), requires_grad=False)
    linear.input_scale = (x.abs().amax().float() / 448) if static else None

    error = (linear(x).float() - dequantized(linear, x.float())).norm() / dequantized(linear, x.float()).norm()
    assert error < 0.05


def test_fp8_on_the_gpu_is_close_to_full_precision(load: Load) -> None:
    if not has_fp8_arithmetic(CUDA):
        pytest.skip("this card does not multiply FP8")
    exact, scaled = final_latent(load()), final_latent(load(dtype=torch.bfloat16, fp8=Fp8Mode.SCALED))

    assert (scaled - exact).norm() / exact.norm() < 0.1
