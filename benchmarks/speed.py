"""Compare `--speed compile` with `eager` on the tiny model and this CPU: `python -m benchmarks.speed --dir DIR`.

Prints the CPU seconds from the prompt to the last latent, of both by turns in one process, and what compiling took:
less in a folder with what an earlier run compiled. Set OMP_WAIT_POLICY=PASSIVE, as workers do.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import torch

from pipelines.bench.timing import busy_seconds
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.speed import Speed, speed_up
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec
from server.process.torch_environment import keep_compiled
from weights.tiny import tiny_files

CPU = torch.device("cpu")
SIZES = ((256, 256, 25), (768, 512, 25))
PAIRS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, required=True, help="where the tiny model and compiled code are")
    folder = parser.parse_args().dir
    keep_compiled(folder / "compiled")
    eager = load(folder)
    start_cpu, start = children_and_own_s(), time.perf_counter()
    compiled = speed_up(load(folder), Speed.COMPILE)
    print(f"compile: {children_and_own_s() - start_cpu:.1f} CPU seconds, {time.perf_counter() - start:.1f} s")
    for width, height, num_frames in SIZES:
        for what, is_new in (("new prompts", True), ("the same prompt", False)):
            specs = [
                GenerationSpec(f"{what} {number * is_new}", number, width, height, num_frames, Fraction(24), (), False)
                for number in range(PAIRS + 1)
            ]
            pairs = list(run_pairs(compiled, eager, specs))[1:]
            medians = [statistics.median(seconds) for seconds in zip(*pairs, strict=True)]
            ratio = statistics.median(mine / other for mine, other in pairs)
            print(f"{width}x{height}, {num_frames} frames, {what}: compile {medians[0]:.3f}, eager {medians[1]:.3f} "
                  f"CPU seconds, ratio {ratio:.3f}")  # fmt: skip


def load(folder: Path) -> Components:
    tiny = tiny_files(folder)
    return load_components(WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler), CPU, torch.float32)


def run_pairs(compiled: Components, eager: Components, specs: list[GenerationSpec]) -> Iterator[tuple[float, float]]:
    def seconds(components: Components, spec: GenerationSpec) -> float:
        # The frames are not decoded, because nothing asks for them.
        return busy_seconds(lambda: generate(components, spec, Trace()), CPU)

    for spec in specs:
        yield seconds(compiled, spec), seconds(eager, spec)


def children_and_own_s() -> float:
    """Return the CPU seconds of this process and of those that it has waited for, such as g++."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
