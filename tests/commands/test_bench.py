"""`ltx23 bench`: what it counts, which is the same on every machine, and that it prints all it measured."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from benchmarks.synthetic import write_checkpoint
from pipelines.bench.comparison import Comparison, Pairs
from pipelines.bench.flops import FlopTrace
from pipelines.bench.report import Floor, StepCounts
from pipelines.ltx.fp8 import FP8
from pipelines.ltx.trace import Trace
from server.commands.bench import MemoryUse, Report, Subject, report_table
from server.commands.bench_alone import AloneComparison
from tests.conftest import RunCommand
from weights.names import MODEL
from weights.tiny import TinyFiles
from weights.tiny_config import CHECKPOINT_CONFIG, TEXT_LAYERS

SMALL = ["bench", "--width", "64", "--height", "64", "--num-frames", "9", "--clips", "2"]

# Of the tiny model's two blocks, with torch's kernels for a CPU.
OPERATIONS, VIEWS = 536, 603


def run_json(run_command: RunCommand, *args: str) -> dict[str, Any]:
    done = run_command(*SMALL, "--json", *args)
    assert (done.returncode, done.stderr) == (0, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_clip_is_measured_and_compared(tiny: TinyFiles, run_command: RunCommand, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    report = run_json(run_command, "--compare", "diffusers", "--device", "cpu", "--chart", str(chart))

    assert report["subject"] | {"cpu_threads": 0, "torch": ""} == {
        "model": "tiny",
        "device": "cpu",
        "cpu_threads": 0,
        "torch": "",
        "dtype": "float32",
        "fp8_linears": 0,
        "speed": "eager",
        "width": 64,
        "height": 64,
        "num_frames": 9,
        "keyframes": 0,
        "has_audio": True,
        "stages": 2,
    }
    assert report["clips"] == 1
    assert list(report["stage_s"]) == ["encode", "denoise", "decode", "mux"]
    # Of one clip, the median of its stages' sum is the sum.
    assert report["total_s"] == pytest.approx(sum(report["stage_s"].values()))
    assert report["step"] == {"operations": OPERATIONS, "views": VIEWS, "graph_breaks": 0, "recompiles": None}
    floor = report["denoise_floor"]
    assert floor["flops"] == {"float32": 3_958_731_136}
    assert floor["floor_s"] == pytest.approx(floor["flops"]["float32"] / floor["flops_per_s"]["float32"])
    assert floor["share"] == pytest.approx(floor["floor_s"] / report["stage_s"]["denoise"])
    description = ElementTree.parse(chart).getroot()[1].text or ""
    assert re.findall(r"(\w+): measured", description) == ["encode", "denoise", "decode", "mux"]
    assert f"floor {floor['floor_s']:.3g}" in description
    assert report["memory"]["planned_bytes"] > 200e6  # a chunk of the decoder is the largest part
    compared = report["diffusers"] | report["diffusers_alone"]
    assert compared.pop("image_step") is None
    assert list(compared) == ["step", "denoise", "decode", "clip", "start_s", "peak_gb"]
    assert compared.pop("step")["ratio"] > 0
    for pairs in compared.values():  # of one pair each
        assert pairs["ratio"] == pytest.approx(pairs["ours"] / pairs["other"])
    assert compared["peak_gb"]["ours"] > 0.3  # Python, torch and the libraries around it


def test_a_step_with_an_image_issues_as_many_operations(
    tiny: TinyFiles, run_command: RunCommand, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")

    report = run_json(run_command, "--no-audio", "--keyframe", f"{tmp_path}/red.png:0", "--device", "cpu")

    assert (report["subject"]["keyframes"], report["subject"]["has_audio"]) == (1, False)
    assert report["step"] == {"operations": OPERATIONS, "views": VIEWS, "graph_breaks": 0, "recompiles": None}
    assert report["diffusers"] is None


def test_the_table_has_a_row_for_each_measurement() -> None:
    report = Report(
        Subject("tiny", "cpu", 2, "2.13.0", "float32", 10, "compile", 768, 512, 121, 1, False, 2),
        clips=3,
        stage_s={"encode": 0.1, "denoise": 2.5, "decode": 4.0, "mux": 0.05},
        total_s=6.65,
        step=StepCounts(536, 604, None, 0),
        denoise_floor=Floor({"float32": 72_870_000_000}, {"float32": 5e10}, 1.4574, 0.58296),
        memory=MemoryUse(340_000_000, None),
        diffusers=Comparison(
            Pairs(0.371, 0.412, 0.9), Pairs(2, 4, 0.5), Pairs(3, 9, 1 / 3), Pairs(6, 12, 0.5), Pairs(1.02, 1, 1.02)
        ),
        diffusers_alone=AloneComparison(Pairs(5, 10, 0.5), Pairs(0.7, 2.1, 1 / 3)),
    )

    heading, clip, *lines = report_table(report)

    assert heading == "model tiny, float32, 10 layers in FP8, compile; cpu, 2 CPU threads, torch 2.13.0"
    assert clip == "768x512, 121 frames, no sound, images: 1, stages: 2"
    assert [" ".join(line.split()) for line in lines] == [
        "seconds, median of 3 after a warm-up",
        *("encode 0.100", "denoise 2.500", "decode 4.000", "mux 0.050", "in all 6.650"),
        "a denoising step at the clip's size",
        *("operations 536", "views 604", "graph breaks streamed", "recompiles after the start 0"),
        "denoising against its floor",
        *("float32, GFLOP a clip 72.87", "float32, GFLOP/s of a large matmul 50"),
        *("floor, s 1.457", "floor / denoise, % 58.3"),
        "memory at the peak, GB",
        *("planned 0.34", "measured unknown"),
        "beside diffusers, CPU seconds ltx23 diffusers ratio",
        *("a step 0.371 0.412 0.900", "denoise 2.000 4.000 0.500", "decode 3.000 9.000 0.333"),
        "clip, with its file 6.000 12.000 0.500",
        *("start of a process 5.000 10.000 0.500", "its memory at the peak, GB 0.700 2.100 0.333"),
        "a step of ltx23, CPU seconds image no image ratio",
        "with the clip's images 1.020 1.000 1.020",
    ]


def is_fp8(name: str) -> bool:
    """Select the Linears of the second block."""
    return name.startswith(f"{MODEL}transformer_blocks.1.") and name.endswith(".weight") and "norm" not in name


def test_fp8_layers_have_a_floor_of_their_own_and_no_comparison(
    tiny: TinyFiles, run_command: RunCommand, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "fp8.safetensors"
    write_checkpoint(checkpoint, CHECKPOINT_CONFIG, TEXT_LAYERS + 1, lambda name: True, is_fp8)
    options = ["--checkpoint", str(checkpoint), "--text-encoder", str(tiny.text_encoder)]
    options += ["--upscaler", str(tiny.upsampler), "--fp8", "scaled", "--device", "cpu"]

    report = run_json(run_command, *options)
    refused = run_command(*SMALL, *options, "--compare", "diffusers")

    assert report["subject"]["fp8_linears"] > 0
    assert report["denoise_floor"]["flops"].keys() == {"float32", "float8_e4m3fn"}
    assert report["step"]["graph_breaks"] == 0
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == ("ltx23: error: LTX23_FP8 / --fp8: --compare diffusers needs plain weights: dequantize\n")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--clips", "1"], "--clips: should be 2 or more, because the first one is the warm-up, got 1"),
        (["--width", "100"], "width: must be a positive multiple of 64, got 100"),
    ],
)
def test_an_error_is_one_line(args: list[str], message: str, run_command: RunCommand) -> None:
    done = run_command(*SMALL, *args)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"ltx23: error: {message}\n")


@torch.inference_mode()
def test_the_matrix_work_of_the_stages_that_denoise_is_counted() -> None:
    linear, query = nn.Linear(32, 48), torch.ones(1, 2, 5, 16)
    rows, quantized, scale = torch.ones(7, 32), torch.ones(16, 16).to(FP8), torch.ones(())

    with FlopTrace(Trace(), torch.float32) as trace:
        trace.stage("encode", 1)
        linear(rows)
        trace.stage("stage_1", 1)
        linear(rows)
        trace.stage("upsample", 1)
        F.scaled_dot_product_attention(query, query, query)
        trace.stage("stage_2", 1)
        torch._scaled_mm(quantized, quantized.t(), scale_a=scale, scale_b=scale, out_dtype=torch.float32)
        trace.stage("decode", 1)
        linear(rows)

    attention = 2 * (2 * 2 * 5 * 5 * 16)  # two products of two heads
    assert trace.flops == {torch.float32: 2 * 7 * 32 * 48 + attention, FP8: 2 * 16**3}
