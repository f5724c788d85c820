"""The model of a clip on a card: what is recorded, which chains are fused, and the counts at full size."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipelines.bench.cards import CARDS, Arithmetic, Work
from pipelines.bench.kernels import OPERATION_US, VIEW_US, Kernel, eager_kernels, fused_kernels
from pipelines.bench.recording import record
from pipelines.bench.roofline import queue_s
from pipelines.bench.stages import Stage, record_stages, shape_components
from pipelines.spec import GenerationSpec
from tests.conftest import RunCommand

META, H200 = torch.device("meta"), CARDS["h200"]
CLIP = GenerationSpec("a red fox", 1, 768, 512, 121, Fraction(24))

# Launches of a clip by stage; those of the stages that denoise are of 8 and 3 steps.
LAUNCHES = {
    Arithmetic.BF16: {"stage 1": 56_209, "stage 2": 19_381, "decode": 1_619},
    Arithmetic.FP8_DYNAMIC: {"stage 1": 136_705, "stage 2": 46_471, "decode": 1_619},
}


def zeros(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.zeros(shape, device=META, dtype=dtype)


class Block(nn.Module):
    """A chain, a product, and a chain that reads from both."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(zeros(32, 32), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = F.rms_norm(x.abs(), (32,))
        return x + (normed @ self.weight.t()).tanh()


def test_an_operation_has_its_matrix_work_and_its_memory() -> None:
    x, weight = zeros(64, 32), zeros(16, 32)
    q, k, v = zeros(1, 4, 64, 8), zeros(1, 2, 10, 8), zeros(1, 2, 10, 8)

    matmul, attention, add = eager_kernels(
        record(lambda: (F.linear(x, weight), F.scaled_dot_product_attention(q, k, v, enable_gqa=True), x[:2].add_(1)))
    )

    assert matmul == Kernel(Work.BF16, 2 * 64 * 32 * 16, 2 * (64 * 32 + 16 * 32 + 64 * 16), OPERATION_US + VIEW_US)
    assert attention.work is Work.ATTENTION
    assert attention.flops == 2 * 2 * 4 * 64 * 10 * 8
    assert attention.moved_bytes == 2 * (2 * 4 * 64 * 8 + 2 * 2 * 10 * 8)
    assert add == Kernel(None, 0, 2 * (2 * 2 * 32), OPERATION_US + VIEW_US)


def test_a_chain_ends_at_matrix_work() -> None:
    block, x, size = Block(), zeros(64, 32), 2 * 64 * 32

    operations = record(lambda: block(x), {block: 1})

    assert [operation.name for operation in operations] == ["abs", "rms_norm", "t", "mm", "tanh", "add"]
    before, product, after = fused_kernels(operations)
    assert before.moved_bytes == 2 * size  # what lies between `abs` and the norm is never written
    assert product.moved_bytes == 2 * size + 2 * 32 * 32
    assert after.moved_bytes == 3 * size  # reads x again
    assert (before.work, product.work, after.work) == (None, Work.BF16, None)


def test_a_chain_ends_where_a_tensor_is_reduced_to_one_value() -> None:
    block = nn.Identity()
    block.register_forward_hook(lambda module, args, output: args[0] / args[0].abs().amax())

    x = zeros(64, 32)
    largest, quotient = fused_kernels(record(lambda: block(x), {block: 1}))

    assert largest.moved_bytes == 2 * 64 * 32 + 2
    assert quotient.moved_bytes == 2 * 2 * 64 * 32 + 2


def test_one_of_equal_blocks_is_counted_for_all() -> None:
    block, x = Block(), zeros(64, 32)

    def three() -> torch.Tensor:
        return block(block(block(x)))

    every, one = record(three, {block: 1}), record(lambda: block(x), {block: 3})

    assert eager_kernels(every) == eager_kernels(one)
    assert fused_kernels(every) == fused_kernels(one)


def test_a_kernel_starts_when_it_is_issued_and_the_one_before_has_ended() -> None:
    work = Kernel(Work.BF16, 10**12, 0, 8.0)
    shortest = Kernel(None, 0, 0, 8.0)

    assert queue_s([shortest, shortest], H200) == pytest.approx(18.5e-6)
    assert queue_s([work, shortest], H200) == pytest.approx(8e-6 + work.seconds(H200) + 2.5e-6)


@pytest.fixture(scope="module", params=LAUNCHES)
def recorded(request: pytest.FixtureRequest) -> tuple[Arithmetic, dict[str, Stage]]:
    arithmetic: Arithmetic = request.param
    stages = record_stages(shape_components(H200, arithmetic, 2, None), CLIP)
    return arithmetic, {stage.name: stage for stage in stages}


def test_the_full_model_issues_few_operations(recorded: tuple[Arithmetic, dict[str, Stage]]) -> None:
    arithmetic, stages = recorded
    launches = {name: len(eager_kernels(stage.operations)) for name, stage in stages.items()}

    for name, most in LAUNCHES[arithmetic].items():
        assert launches[name] <= most
    # The work of the transformer, by its widths: it does not depend on how it is computed.
    flops = sum(kernel.flops for name in ("stage 1", "stage 2") for kernel in eager_kernels(stages[name].operations))
    assert flops == pytest.approx(968e12, rel=0.01)


def model(run_command: RunCommand, *args: str) -> dict[str, Any]:
    done = run_command("bench", "--model", "H200", "--json", "--arithmetic", "bf16", "--stages", "1", *args)
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_the_command_models_a_clip_from_an_image_with_a_lora(run_command: RunCommand, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    args = ["--keyframe", "none.png:0", "--lora-rank", "32", "--no-audio", "--num-frames", "9", "--chart", str(chart)]
    report = model(run_command, *args)

    assert (report["card"], report["keyframes"], report["memory"], report["fits"]) == ("H200", 1, "resident", True)
    assert list(report["times"]) == list(report["counts"]) == ["text", "images", "stage 1", "decode"]
    for times in report["times"].values():
        assert times["floor_ms"] < times["matrix_ms"] < times["graphs_ms"] <= times["compiled_ms"] <= times["eager_ms"]
    drawn = ElementTree.parse(chart).getroot()
    assert "a model, not a measurement" in (drawn[0].text or "")
    assert f"text: eager {report['times']['text']['eager_ms']:.3g}, " in (drawn[1].text or "")
    assert report["total"]["eager_ms"] == pytest.approx(sum(t["eager_ms"] for t in report["times"].values()))
    # In BF16: 10.53 million values for each rank in the blocks, and 2 % more around them.
    assert report["lora_gb"] == pytest.approx(32 * 10.53e6 * 1.02 * 2 / 1e9, rel=0.01)
    assert report["lora_rank"] == 32


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model", "a100"], "--arithmetic: A100 does not multiply FP8; bf16 is possible"),
        (
            ["--model", "h100", "--chart", "chart.png"],
            "--chart: should be a file that ends in .svg, in a folder that is there, got chart.png",
        ),
        (
            ["--model", "h100", "--lora", "x.safetensors"],
            "--lora: --model reads no files; give the rank alone, as --lora-rank",
        ),
        (["--model", "h100", "--lora-rank", "-1"], "--lora-rank: should be 0 .. 1024, got -1"),
        (["--model", "h100", "--width", "100"], "width: must be a positive multiple of 64, got 100"),
    ],
)
def test_what_cannot_be_modelled_is_an_error(args: list[str], message: str, run_command: RunCommand) -> None:
    done = run_command("bench", *args)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ltx23: error: {message}\n")
