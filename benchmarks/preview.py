"""Measure what previews cost: `python -m benchmarks.preview [--clips N]`.

The tiny model denoises the same clip with and without a viewer, by turns, in one thread of this process. Prints the
medians of the CPU time of a step of each stage: without and with a viewer, what a preview takes of the step's own
thread, and what it takes of another one. CPU time, because other programs may be running. A step of the full model
takes much longer, a preview does not.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import torch

from pipelines.errors import Cancelled
from pipelines.ltx.components import Components, load_components
from pipelines.ltx.latent_preview import start_preview
from pipelines.ltx.models import WeightFiles
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.media.animation import encode_animation
from pipelines.spec import GenerationSpec
from server.worker.previewer import Previewer, find_viewer
from weights.tiny import tiny_files

Seconds = dict[str, list[float]]
STAGES = ("stage_1", "stage_2")


class StepClock(Trace):
    """Measures the steps of the two stages, and stops the clip before it is decoded."""

    def __init__(self, previewer: Previewer | None) -> None:
        self._previewer, self._stage, self._began = previewer, "", 0.0
        self.steps: Seconds = defaultdict(list)
        self.shown: Seconds = defaultdict(list)
        self.latents: dict[str, torch.Tensor] = {}

    def stage(self, name: str, steps: int) -> None:
        if name == "decode":
            raise Cancelled
        self._stage, self._began = name, time.thread_time()

    def estimate(self, latent: torch.Tensor) -> None:
        self.latents[self._stage] = latent
        if self._previewer is not None:
            began = time.thread_time()
            self._previewer.show(("job", self._stage, 1, 1), latent, 5.0)
            self.shown[self._stage].append(time.thread_time() - began)

    def step(self, count: int = 1) -> None:
        now = time.thread_time()
        self.steps[self._stage].append(now - self._began)
        self._began = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=3, metavar="N", help="with a viewer, and as many without")
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--num-frames", type=int, default=121)
    options = parser.parse_args()
    spec = GenerationSpec("a red fox", 1, options.width, options.height, options.num_frames, Fraction(24))
    with tempfile.TemporaryDirectory() as cache:
        tiny = tiny_files(Path(cache))
        files = WeightFiles(tiny.checkpoint, tiny.text_encoder, tiny.upsampler)
        components = load_components(files, torch.device("cpu"), torch.float32)
        viewer = find_viewer(components.video_vae, Path(cache))
    assert viewer is not None
    torch.set_num_threads(1)
    previewer = Previewer(viewer, lambda job_id: True, lambda message: None)
    denoise(components, spec, None)
    clocks = [(denoise(components, spec, None), denoise(components, spec, previewer)) for _ in range(options.clips)]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {options.clips} clips"
    )
    print(f"{options.width}x{options.height}, {options.num_frames} frames: CPU ms of a step")
    print(f"{'':10}{'alone':>9}{'watched':>9}{'ratio':>7}{'of its thread':>16}{'beside it':>11}")
    for stage in STAGES:
        alone, watched = (
            median([step for clock in each for step in clock.steps[stage]]) for each in zip(*clocks, strict=True)
        )
        ratio = statistics.median(median(w.steps[stage]) / median(a.steps[stage]) for a, w in clocks)
        shown = median([seconds for _, clock in clocks for seconds in clock.shown[stage]])
        began = time.thread_time()
        encode_animation(start_preview(viewer, clocks[-1][1].latents[stage])(), 5.0)
        beside = time.thread_time() - began
        print(f"{stage:10}{alone * 1e3:9.1f}{watched * 1e3:9.1f}{ratio:7.3f}"
              f"{shown * 1e3:8.2f} ({shown / alone:5.2%}){beside * 1e3:9.1f}")  # fmt: skip


def median(values: list[float]) -> float:
    return statistics.median(values)


def denoise(components: Components, spec: GenerationSpec, previewer: Previewer | None) -> StepClock:
    clock = StepClock(previewer)
    try:
        generate(components, spec, clock)
    except Cancelled:
        return clock
    raise AssertionError("the clip is stopped before it is decoded")


if __name__ == "__main__":
    main()
