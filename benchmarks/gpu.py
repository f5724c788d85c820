"""Measure the whole 22B model with random weights on one CUDA GPU: `python -m benchmarks.gpu [--dir DIR]`.

Writes a scaled-FP8 checkpoint of full size (28 GB), an upsampler and a Gemma 3 12B (24 GB), which DIR keeps for next
time, and loads them as the server does. For each `--arithmetic` at each `--speed` it prints the seconds of a clip by
stage, denoising against its floor as `ltx23 bench` does, and peak memory next to the plan's. The choices that are open
are measured with the first arithmetic: the backend of attention, fast accumulation in FP8, the decoder's chunks and
memory format. `--memory` levels other than resident are measured eagerly; `--vram` makes a card smaller: `--memory low
--vram 24`. `--json` and `--chart` write the results to files, `--profile` the kernels of a clip.
Needs a GPU with 80 GB, 60 GB of disk and 40 GB of memory.

`--tiny` runs the same script at the tiny model's size on the CPU, which only shows that the script works.
"""

import argparse
import gc
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.choices import Choice, measure_choices
from benchmarks.synthetic import write_checkpoint, write_text_encoder, write_upsampler
from pipelines.bench.cards import Arithmetic
from pipelines.bench.chart import Chart, render_svg
from pipelines.bench.report import count_flops, measure_clips, measure_floor, planned_peak_bytes
from pipelines.bench.timing import seconds
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.speed import Speed, speed_up
from pipelines.ltx.trace import Trace
from pipelines.memory import DEFAULT_CLIP, MemoryLevel
from pipelines.render import render
from pipelines.spec import GenerationSpec
from server.process.torch_environment import configure_allocator, keep_compiled, wait_passively
from server.worker.device import limit_memory, resolve_capacity
from weights.full_config import full_config, full_upsampler_config
from weights.full_model import GEMMA_12B
from weights.load import quantize
from weights.names import MODEL
from weights.tiny import TINY_GEMMA
from weights.tiny_config import CHECKPOINT_CONFIG, UPSAMPLER_CONFIG

UPSAMPLER = "upsampler.safetensors"
ARITHMETICS = [Arithmetic.FP8_STATIC, Arithmetic.FP8_DYNAMIC, Arithmetic.BF16]

# Rows, inputs and outputs of linears: the video's tokens in stage 1 and 2 of a default clip, and the audio's.
LINEARS = [
    *((rows, *widths) for rows in (1536, 6144) for widths in ((4096, 4096), (4096, 16384), (16384, 4096))),
    (126, 2048, 2048),
]


@dataclass(frozen=True)
class Run:
    """A clip at one configuration: medians in seconds. planned_gb, peak_gb: of the device, 0 on a CPU."""

    name: str
    stage_s: dict[str, float]
    total_s: float
    floor_s: float
    planned_gb: float
    peak_gb: float


def main() -> None:
    args = parse_arguments()
    restart_like_a_worker()
    device = torch.device("cpu" if args.tiny else "cuda")
    card = platform.processor() or "cpu" if args.tiny else torch.cuda.get_device_name(device)
    print(f"{card}, torch {torch.__version__}, {os.cpu_count()} CPU cores")
    runs: list[Run] = []
    choices: list[Choice] = []
    flops: dict[Arithmetic, dict[torch.dtype, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = kept_weights(args.dir or Path(folder), "tiny" if args.tiny else "full")
        vram_bytes = None if args.vram is None else round(args.vram * 1e9)
        limit_memory(device, vram_bytes)
        capacity_bytes = resolve_capacity(device, vram_bytes)
        if device.type == "cuda":
            keep_compiled(Path(folder) / "compiled")
            print_link(device)
        for shape in [(256, 64, 32)] if args.tiny else LINEARS:
            compare_linear(device, *shape)
        size = (128, 64, 9) if args.tiny else (args.width, args.height, args.num_frames)
        spec = GenerationSpec("a red fox", 1, size[0], size[1], size[2], Fraction(24))
        for level in args.memory:
            for arithmetic in args.arithmetic if level is MemoryLevel.RESIDENT else args.arithmetic[:1]:
                components = load(files, device, level, capacity_bytes, arithmetic)
                print_memory(components)
                if arithmetic not in flops:
                    flops[arithmetic] = count_flops(components, spec, Trace())
                for speed in args.speed if level is MemoryLevel.RESIDENT else [Speed.EAGER]:
                    start = time.perf_counter()
                    faster = speed_up(components, speed)
                    print(f"--speed {speed}: ready in {time.perf_counter() - start:.1f} s")
                    name = " ".join([arithmetic, speed, *([level] if level is not MemoryLevel.RESIDENT else [])])
                    run = measure_run(name, faster, spec, Path(folder) / "clip.mp4", args.clips, flops[arithmetic])
                    runs.append(run)
                    print_run(run)
                    if args.profile is not None:
                        with profiled(args.profile, name):
                            render(faster, replace(spec, prompt="profiled"), Path(folder) / "clip.mp4", Trace())
                    if speed is Speed.EAGER and not choices:
                        choices = list(measure_choices(components, spec, args.chunks))
                    del faster
                # Streaming creates reference cycles between a model and its hooks.
                del components
                gc.collect()
                torch.cuda.empty_cache()
    print_table(runs)
    if args.json is not None:
        report = {"device": card, "runs": [*map(asdict, runs)], "choices": [*map(asdict, choices)]}
        args.json.write_text(json.dumps(report, indent=2))
    if args.chart is not None:
        args.chart.write_text(render_svg(chart_of(card, spec, runs)))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, help="where the weights are written and kept (default: a temporary folder)")
    parser.add_argument("--tiny", action="store_true", help="the tiny model, on the CPU")
    parser.add_argument("--width", type=int, default=DEFAULT_CLIP.width)
    parser.add_argument("--height", type=int, default=DEFAULT_CLIP.height)
    parser.add_argument("--num-frames", type=int, default=DEFAULT_CLIP.num_frames)
    parser.add_argument("--arithmetic", nargs="+", type=Arithmetic, default=ARITHMETICS, choices=ARITHMETICS)
    parser.add_argument("--speed", nargs="+", type=Speed, help="default: all; eager on a CPU")
    parser.add_argument("--memory", nargs="+", type=MemoryLevel, default=[MemoryLevel.RESIDENT])
    parser.add_argument("--chunks", nargs="+", type=float, default=[64, 128, 256, 512], help="MB, of the decoder")
    parser.add_argument("--clips", type=int, default=3, help="clips rendered, 2 or more; the first one warms up")
    parser.add_argument("--vram", type=float, help="GB of the GPU's memory to use (default: what is free)")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="write the kernels of a clip, longest first")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    args = parser.parse_args()
    if args.clips < 2:
        parser.error("--clips: should be 2 or more, because the first one is the warm-up")
    # A compiled block stays compiled, so that eager comes first.
    args.speed = [speed for speed in Speed if speed in (args.speed or ([Speed.EAGER] if args.tiny else list(Speed)))]
    return args


@dataclass(frozen=True)
class Sizes:
    checkpoint: dict[str, Any]
    upsampler: dict[str, Any]
    text: dict[str, Any]


FULL = Sizes(full_config(), full_upsampler_config(), GEMMA_12B)
# One block more than the number that stay in BF16.
TINY_TRANSFORMER = CHECKPOINT_CONFIG["transformer"] | {"num_layers": 6}
TINY = Sizes(CHECKPOINT_CONFIG | {"transformer": TINY_TRANSFORMER}, UPSAMPLER_CONFIG, TINY_GEMMA)


SIZES = {"full": FULL, "tiny": TINY}


def kept_weights(folder: Path, size: str) -> WeightFiles:
    """Return the files of the folder, which are written if they are not there."""
    kept = folder / size
    if not kept.exists():
        start = time.perf_counter()
        partial_folder = folder / f"{size}.partial"
        shutil.rmtree(partial_folder, ignore_errors=True)
        partial_folder.mkdir(parents=True)
        write_weights(partial_folder, SIZES[size])
        partial_folder.rename(kept)
        print(f"weights written in {time.perf_counter() - start:.0f} s")
    return weight_files(kept)


def weight_files(folder: Path) -> WeightFiles:
    return WeightFiles(folder / "fp8.safetensors", folder / "text_encoder", folder / UPSAMPLER)


def write_weights(folder: Path, sizes: Sizes) -> WeightFiles:
    last = sizes.checkpoint["transformer"]["num_layers"] - 1
    block = re.compile(rf"{re.escape(MODEL)}transformer_blocks\.(\d+)\.(?!.*norm).*\.weight$")

    def is_fp8(name: str) -> bool:
        """Select the FP8 layers of the official file: every Linear of all blocks but the first four and the last."""
        match = block.match(name)
        return match is not None and 4 <= int(match[1]) < last

    files = weight_files(folder)
    text_layers = sizes.text["num_hidden_layers"] + 1
    with ThreadPoolExecutor() as pool:
        writes = [
            pool.submit(write_checkpoint, files.checkpoint, sizes.checkpoint, text_layers, lambda name: True, is_fp8),
            pool.submit(write_upsampler, folder / UPSAMPLER, sizes.upsampler),
            pool.submit(write_text_encoder, files.text_encoder, sizes.text),
        ]
    for write in writes:
        write.result()
    return files


def restart_like_a_worker() -> None:
    """Run this program again with a worker's options of torch, which reads them while it is imported."""
    before = dict(os.environ)
    wait_passively()
    configure_allocator()
    if os.environ != before:
        os.execv(sys.executable, sys.orig_argv)


def load(
    files: WeightFiles, device: torch.device, level: MemoryLevel, capacity_bytes: int, arithmetic: Arithmetic
) -> Components:
    start = time.perf_counter()
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    fp8 = Fp8Mode.DEQUANTIZE if arithmetic is Arithmetic.BF16 else Fp8Mode.SCALED
    components = load_components(files, device, dtype, fp8=fp8, memory=level, capacity_bytes=capacity_bytes)
    layers = fp8_layers(components)
    if arithmetic is Arithmetic.FP8_DYNAMIC:
        for layer in layers:
            layer.input_scale = None
    elapsed_s = time.perf_counter() - start
    print(f"{arithmetic}, --memory {level}: loaded in {elapsed_s:.1f} s, {len(layers)} layers multiply in FP8")
    return components


def fp8_layers(components: Components) -> list[Fp8Linear]:
    return [module for module in components.transformer.modules() if isinstance(module, Fp8Linear)]


def print_memory(components: Components) -> None:
    for name, size in components.plan.components.items():
        where = "streamed" if name in components.plan.streamed else ""
        print(f"  {name:<34} {size.size_bytes / 1e9:8.2f} GB {where}")
    if components.device.type == "cuda":
        print(f"  allocated on the GPU               {torch.cuda.memory_allocated() / 1e9:8.2f} GB")
        pinned_bytes = torch.cuda.host_memory_stats()["allocated_bytes.current"]
        print(f"  pinned host memory                 {pinned_bytes / 1e9:8.2f} GB, "
              f"planned {components.plan.host_bytes / 1e9:.2f}")  # fmt: skip


def print_link(device: torch.device, size_bytes: int = 2 * 10**9) -> None:
    source = torch.empty(size_bytes, dtype=torch.uint8, pin_memory=True)
    target = torch.empty_like(source, device=device)
    copy_s = seconds(lambda: target.copy_(source, non_blocking=True), device)
    print(f"host memory to the GPU: {size_bytes / copy_s / 1e9:.1f} GB/s")


@torch.inference_mode()
def compare_linear(device: torch.device, rows: int, inputs: int, outputs: int) -> None:
    """Print the time of a linear in BF16, and of its product alone in FP8: a scale for all, for each row, fast sums."""
    dtype = torch.bfloat16
    weight = torch.randn(outputs, inputs, device=device) / inputs**0.5
    layer = Fp8Linear(inputs, outputs, bias=False, static=True)
    layer.one, layer.input_scale = layer.one.to(device), torch.tensor(0.01, device=device)
    quantized, layer.weight_scale = quantize(weight)
    layer.weight = torch.nn.Parameter(quantized, requires_grad=False)
    plain, x = weight.to(dtype), torch.randn(rows, inputs, device=device, dtype=dtype)
    a, per_row = layer.quantize(x), torch.ones(rows, 1, device=device)

    def by_row(fast: bool) -> torch.Tensor:
        scale_b = layer.weight_scale.expand(1, outputs).contiguous()
        return torch._scaled_mm(
            a.rows, layer.weight.t(), scale_a=per_row, scale_b=scale_b, out_dtype=dtype, use_fast_accum=fast
        )

    def by_tensor(fast: bool) -> torch.Tensor:
        layer.fast_accum = fast
        return layer.multiply(x, a)

    calls = {
        "BF16": lambda: torch.nn.functional.linear(x, plain),
        "FP8 with quantisation": lambda: layer(x),
        "FP8": lambda: by_tensor(False),
        "FP8, fast": lambda: by_tensor(True),
        "FP8 by row": lambda: by_row(False),
        "FP8 by row, fast": lambda: by_row(True),
    }
    times = []
    for name, call in calls.items():
        try:
            times.append(f"{name} {1e3 * seconds(call, device):.3f}")
        except RuntimeError as exc:
            times.append(f"{name}: {str(exc).splitlines()[0]}")
    print(f"Linear {inputs} -> {outputs}, {rows} rows, ms: {', '.join(times)}")


def measure_run(
    name: str, components: Components, spec: GenerationSpec, path: Path, count: int, flops: dict[torch.dtype, int]
) -> Run:
    is_cuda = components.device.type == "cuda"
    if is_cuda:
        torch.cuda.reset_peak_memory_stats()
    # Prompts that no run before had: what was computed from the last ones is kept.
    spec = replace(spec, prompt=f"{spec.prompt}, {name}")
    clips = measure_clips(partial(render_timed, components), components, spec, path, count, Trace(), flops)
    peak_gb = torch.cuda.max_memory_allocated() / 1e9 if is_cuda else 0.0
    floor = measure_floor(clips, components.device)
    planned_gb = planned_peak_bytes(components, spec) / 1e9 if is_cuda else 0.0
    return Run(name, clips.stage_s, clips.total_s, floor.floor_s, planned_gb, peak_gb)


@contextmanager
def profiled(folder: Path, name: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    kind = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[kind.CUDA if torch.cuda.is_available() else kind.CPU]) as profile:
        yield
    table = profile.key_averages().table(sort_by="self_device_time_total", row_limit=80, max_name_column_width=120)
    (folder / f"{name.replace(' ', '-')}.txt").write_text(table)


def render_timed(components: Components, spec: GenerationSpec, path: Path, trace: Trace) -> dict[str, float]:
    return render(components, spec, path, trace)[1]


def print_run(run: Run) -> None:
    stages = ", ".join(f"{name} {value:.2f}" for name, value in run.stage_s.items())
    print(f"{run.name}: {run.total_s:.2f} s ({stages}); the floor is {run.floor_s / run.stage_s['denoise']:.0%} of "
          f"denoising; peak {run.peak_gb:.1f} GB, planned {run.planned_gb:.1f}")  # fmt: skip


def print_table(runs: Sequence[Run]) -> None:
    print("| seconds | " + " | ".join(runs[0].stage_s) + " | in all | denoise / floor | peak GB | planned |")
    print("|---" * (len(runs[0].stage_s) + 5) + "|")
    for run in runs:
        cells = [f"{value:.2f}" for value in (*run.stage_s.values(), run.total_s, run.stage_s["denoise"] / run.floor_s)]
        print(f"| {run.name} | " + " | ".join([*cells, f"{run.peak_gb:.1f}", f"{run.planned_gb:.1f}"]) + " |")


def chart_of(device: str, spec: GenerationSpec, runs: Sequence[Run]) -> Chart:
    return Chart(
        f"{spec.width}x{spec.height}, {spec.num_frames} frames, {device}",
        f"LTX-2.3 22B with random weights, torch {torch.__version__}; the floor is that of denoising",
        "seconds",
        ("denoise", "decode", "in all"),
        {run.name: (run.stage_s["denoise"], run.stage_s["decode"], run.total_s) for run in runs},
        {run.name: run.floor_s for run in runs},
    )


if __name__ == "__main__":
    main()
