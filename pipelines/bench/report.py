"""Measure a loaded model for `ltx23 bench`, in the order in which it prints the results."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch._dynamo.utils import counters

from pipelines.bench.flops import FlopTrace, matmul_flops_per_s
from pipelines.bench.operations import count_operations
from pipelines.bench.step import Step, count_graph_breaks
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.speed import run_compilable
from pipelines.ltx.trace import Trace
from pipelines.spec import GenerationSpec

# As `pipelines.render.render` for a loaded model: returns the seconds by stage.
RenderClip = Callable[[GenerationSpec, Path, Trace], dict[str, float]]


@dataclass(frozen=True)
class Clips:
    """Medians of the clips after the warm-up, and the matrix FLOPs of denoising one clip by the dtype multiplied."""

    stage_s: dict[str, float]
    total_s: float
    flops: dict[torch.dtype, int]


@dataclass(frozen=True)
class StepCounts:
    """The counts of one denoising step.

    graph_breaks: None if the transformer is streamed, by hooks on its blocks. recompiles: how many graphs the compiler
    would add for the clip after the start; None if nothing is compiled.
    """

    operations: int
    views: int
    graph_breaks: int | None
    recompiles: int | None


@dataclass(frozen=True)
class Floor:
    """The seconds of denoising if it were only matrix products, at the speed of a large one on this device.

    flops, flops_per_s: by dtype. share: of the floor in the measured seconds; at 1 nothing could be faster.
    """

    flops: dict[str, int]
    flops_per_s: dict[str, float]
    floor_s: float
    share: float


def measure_clips(
    render: RenderClip,
    components: Components,
    spec: GenerationSpec,
    path: Path,
    count: int,
    trace: Trace,
    flops: dict[torch.dtype, int] | None = None,
) -> Clips:
    """Render two clips or more to `path`, of which the first one is the warm-up. Raises PipelineError.

    flops: of denoising one of them, if they were counted before.
    """
    # A prompt of its own for each, because what was computed from the last prompts is kept.
    specs = [replace(spec, prompt=f"{spec.prompt} {number}") for number in range(count)]
    flops = count_flops(components, specs[0], trace) if flops is None else flops
    timings = [render(clip, path, trace) for clip in specs][1:]
    stage_s = {stage: statistics.median(timing[stage] for timing in timings) for stage in timings[0]}
    return Clips(stage_s, statistics.median(sum(timing.values()) for timing in timings), flops)


def count_flops(components: Components, spec: GenerationSpec, trace: Trace) -> dict[torch.dtype, int]:
    """Count the matrix FLOPs of denoising a clip, eagerly: a count sees no operations of compiled code."""
    eager = replace(components, forward=components.transformer, graphs=None)
    with torch.compiler.set_stance("force_eager"), FlopTrace(trace, components.dtype) as counting:
        generate(eager, spec, counting)
    components.prompt_keys.limit(0)
    return dict(counting.flops)


def count_step(components: Components, spec: GenerationSpec, step: Step) -> StepCounts:
    """Count a step as eager torch runs it. What was compiled is forgotten."""
    recompiles = count_recompiles(components, spec)
    eager = replace(step, forward=step.transformer)
    with torch.compiler.set_stance("force_eager"):
        operations = count_operations(eager.velocity)
    breaks = None if "transformer" in components.plan.streamed else count_graph_breaks(step)
    return StepCounts(operations.computed.total(), operations.views, breaks, recompiles)


def count_recompiles(components: Components, spec: GenerationSpec) -> int | None:
    if components.forward is components.transformer:
        return None
    before = counters["stats"]["unique_graphs"]
    # Without `forward`, which compiles nothing after the start.
    forward = partial(run_compilable, components.transformer)
    generate(replace(components, forward=forward, graphs=None), spec, Trace())
    return counters["stats"]["unique_graphs"] - before


def measure_floor(clips: Clips, device: torch.device) -> Floor:
    flops_per_s = {dtype: matmul_flops_per_s(device, dtype) for dtype in clips.flops}
    floor_s = sum(flops / flops_per_s[dtype] for dtype, flops in clips.flops.items())
    return Floor(
        {dtype_name(dtype): flops for dtype, flops in clips.flops.items()},
        {dtype_name(dtype): speed for dtype, speed in flops_per_s.items()},
        floor_s,
        floor_s / clips.stage_s["denoise"],
    )


def planned_peak_bytes(components: Components, spec: GenerationSpec) -> int:
    """Return the planned peak of a clip that was rendered, with what is kept for later clips."""
    plan, clip = components.plan, components.clip_size(spec)
    return plan.peak_bytes(clip, plan.kept(clip)) + components.kept_bytes


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
