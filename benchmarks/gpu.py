"""Run the whole 22B model with random weights on one CUDA GPU: `python -m benchmarks.gpu [--dir DIR]`.

Writes a scaled-FP8 checkpoint of full size (28 GB), an upsampler and a Gemma 3 12B (24 GB) into DIR and loads them as
the server does. Prints memory by component, the FP8 Linear against BF16 (speed, error), the seconds of a clip by
stage, denoising against its floor as `ltx23 bench` does, and peak memory next to the plan's; then the same for each
`--memory` level that is named. Needs a GPU with 80 GB, 60 GB of disk and 40 GB of memory; 60 GB for the level low. On a
GPU with more memory than a level needs, `--vram` makes it smaller: `--memory balanced low --vram 24`.

`--tiny` runs the same script at the tiny model's size on the CPU, which only shows that the script works.
"""

import argparse
import gc
import os
import platform
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.synthetic import write_checkpoint, write_text_encoder, write_upsampler
from pipelines.bench.report import measure_clips, measure_floor, planned_peak_bytes
from pipelines.bench.timing import seconds
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.fp8 import Fp8Linear, Fp8Mode, dequantized
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.trace import Trace
from pipelines.memory import ClipSize, MemoryLevel
from pipelines.render import render
from pipelines.spec import GenerationSpec
from server.process.torch_environment import configure_allocator
from server.worker.device import limit_memory, resolve_capacity
from weights.full_config import full_config, full_upsampler_config
from weights.full_model import GEMMA_12B
from weights.load import quantize
from weights.names import MODEL
from weights.tiny import TINY_GEMMA
from weights.tiny_config import CHECKPOINT_CONFIG, UPSAMPLER_CONFIG

STEPS = 11
ROWS = 6144  # video tokens of stage 2 at 768x512, 121 frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dir", type=Path, help="where the weights are written (default: the system's temporary folder)"
    )
    parser.add_argument("--tiny", action="store_true", help="the tiny model, on the CPU")
    parser.add_argument("--memory", nargs="+", type=MemoryLevel, default=list(MemoryLevel), help="default: all levels")
    parser.add_argument("--clips", type=int, default=3, help="clips rendered, 2 or more; the first one warms up")
    parser.add_argument("--vram", type=float, help="GB of the GPU's memory to use (default: what is free)")
    args = parser.parse_args()
    if args.clips < 2:
        parser.error("--clips: should be 2 or more, because the first one is the warm-up")
    restart_with_allocator()
    device = torch.device("cpu" if args.tiny else "cuda")
    name = platform.processor() or "cpu" if args.tiny else torch.cuda.get_device_name(device)
    print(f"{name}, torch {torch.__version__}, {os.cpu_count()} CPU cores")
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        start = time.perf_counter()
        files = write_weights(Path(folder), TINY if args.tiny else FULL)
        print(f"weights written in {time.perf_counter() - start:.0f} s")
        vram_bytes = None if args.vram is None else round(args.vram * 1e9)
        limit_memory(device, vram_bytes)
        capacity_bytes = resolve_capacity(device, vram_bytes)
        if device.type == "cuda":
            print_link(device)
        compare_linear(device, *((256, 64, 32) if args.tiny else (ROWS, 4096, 16384)))
        spec = GenerationSpec("a red fox", 1, *((128, 64, 9) if args.tiny else (768, 512, 121)), Fraction(24))
        for level in args.memory:
            components = load(files, device, level, capacity_bytes)
            print_memory(components)
            print_clips(components, spec, Path(folder) / "clip.mp4", args.clips)
            # Streaming creates reference cycles between a model and its hooks.
            del components
            gc.collect()
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class Sizes:
    checkpoint: dict[str, Any]
    upsampler: dict[str, Any]
    text: dict[str, Any]


FULL = Sizes(full_config(), full_upsampler_config(), GEMMA_12B)
# One block more than the number that stay in BF16.
TINY_TRANSFORMER = CHECKPOINT_CONFIG["transformer"] | {"num_layers": 6}
TINY = Sizes(CHECKPOINT_CONFIG | {"transformer": TINY_TRANSFORMER}, UPSAMPLER_CONFIG, TINY_GEMMA)


def write_weights(folder: Path, sizes: Sizes) -> WeightFiles:
    last = sizes.checkpoint["transformer"]["num_layers"] - 1
    block = re.compile(rf"{re.escape(MODEL)}transformer_blocks\.(\d+)\.(?!.*norm).*\.weight$")

    def is_fp8(name: str) -> bool:
        """Select the FP8 layers of the official file: every Linear of all blocks but the first four and the last."""
        match = block.match(name)
        return match is not None and 4 <= int(match[1]) < last

    files = WeightFiles(folder / "fp8.safetensors", folder / "text_encoder", folder / "upsampler.safetensors")
    text_layers = sizes.text["num_hidden_layers"] + 1
    write_checkpoint(files.checkpoint, sizes.checkpoint, text_layers, lambda name: True, is_fp8)
    write_upsampler(folder / "upsampler.safetensors", sizes.upsampler)
    write_text_encoder(files.text_encoder, sizes.text)
    return files


def restart_with_allocator() -> None:
    """Run this program again with the allocators' options of a worker: torch reads them while it is imported."""
    before = dict(os.environ)
    configure_allocator()
    if os.environ != before:
        os.execv(sys.executable, sys.orig_argv)


def load(files: WeightFiles, device: torch.device, level: MemoryLevel, capacity_bytes: int) -> Components:
    start = time.perf_counter()
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    components = load_components(files, device, dtype, fp8=Fp8Mode.SCALED, memory=level, capacity_bytes=capacity_bytes)
    linears = sum(isinstance(module, Fp8Linear) for module in components.transformer.modules())
    print(f"--memory {level}: loaded in {time.perf_counter() - start:.1f} s, {linears} layers multiply in FP8")
    return components


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
    dtype = torch.bfloat16
    weight = torch.randn(outputs, inputs, device=device) / inputs**0.5
    layer = Fp8Linear(inputs, outputs, bias=False, static=False)
    quantized, layer.weight_scale = quantize(weight)
    layer.weight = torch.nn.Parameter(quantized, requires_grad=False)
    plain, x = weight.to(dtype), torch.randn(rows, inputs, device=device, dtype=dtype)
    fp8_s = seconds(lambda: layer(x), device)
    bf16_s = seconds(lambda: torch.nn.functional.linear(x, plain), device)
    error = (layer(x).float() - dequantized(layer, x.float())).norm() / dequantized(layer, x.float()).norm()
    print(
        f"Linear {inputs} -> {outputs}, {rows} rows: FP8 {1e3 * fp8_s:.2f} ms, BF16 {1e3 * bf16_s:.2f} ms "
        f"({bf16_s / fp8_s:.2f} times as fast), error of quantised activations {error:.1%}"
    )


def print_clips(components: Components, spec: GenerationSpec, path: Path, count: int) -> None:
    if components.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    clips = measure_clips(partial(render_timed, components), spec, path, count, Trace(), components.dtype)
    stages = ", ".join(f"{name} {value:.2f}" for name, value in clips.stage_s.items())
    print(f"{spec.width}x{spec.height}, {spec.num_frames} frames in {clips.total_s:.2f} s ({stages})")
    if components.device.type == "cuda":
        peak, planned = torch.cuda.max_memory_allocated() / 1e9, planned_peak_bytes(components, spec) / 1e9
        print(f"  peak {peak:.1f} GB, planned {planned:.1f} GB; streamed with a new prompt: "
              f"{components.plan.copied_bytes(ClipSize.of(spec), STEPS) / 1e9:.1f} GB")  # fmt: skip
    floor = measure_floor(clips, components.device)
    print(f"  {sum(floor.flops.values()) / 1e15:.4f} PFLOP of denoising, whose floor is {floor.share:.0%} of its time")


def render_timed(components: Components, spec: GenerationSpec, path: Path, trace: Trace) -> dict[str, float]:
    return render(components, spec, path, trace)[1]


if __name__ == "__main__":
    main()
