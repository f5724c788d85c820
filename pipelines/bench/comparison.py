"""Compare with diffusers in pairs, ours and theirs in turn: a denoising step, and a whole clip."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import torch

from pipelines.bench.step import Step
from pipelines.bench.stock import diffusers_inputs, diffusers_transformer
from pipelines.bench.stock_flow import StockFlow, stock_flow
from pipelines.bench.timing import busy_clock, busy_seconds
from pipelines.errors import OutOfMemory
from pipelines.ltx.components import Components
from pipelines.ltx.pipeline import generate
from pipelines.ltx.trace import Trace
from pipelines.render import render
from pipelines.spec import GenerationSpec

STEP_PAIRS = 5


@dataclass(frozen=True)
class Pairs:
    """Medians of the pairs: ours, the other one's, and of the ratio of both."""

    ours: float
    other: float
    ratio: float

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]]) -> "Pairs":
        ours, other = (statistics.median(values) for values in zip(*pairs, strict=True))
        return cls(ours, other, statistics.median(mine / theirs for mine, theirs in pairs))


@dataclass(frozen=True)
class Comparison:
    """Seconds of the device, ours and diffusers' with the same weights and encoded prompt.

    step: one denoising step. denoise: both stages, from the images on. clip: with decoding, up to the file.
    image_step: a step with the clip's images and one without, both ours; None without images.
    """

    step: Pairs
    denoise: Pairs
    decode: Pairs
    clip: Pairs
    image_step: Pairs | None


def compare_with_diffusers(
    components: Components, spec: GenerationSpec, step: Step, path: Path, pairs: int
) -> Comparison:
    """pairs: how many clips of each are rendered, after one that is not counted. Raises PipelineError."""
    try:
        stock = stock_flow(components, spec)
        ours, theirs = zip(*(_render_both(components, stock, spec, path) for _ in range(1 + pairs)), strict=True)
        by_stage = {
            stage: Pairs.of([(mine[stage], other[stage]) for mine, other in zip(ours[1:], theirs[1:], strict=True)])
            for stage in ours[0]
        }
        return Comparison(compare_steps(step), **by_stage, image_step=_compare_image(components, spec, step))
    except (torch.OutOfMemoryError, MemoryError) as exc:
        raise OutOfMemory("the device ran out of memory in the comparison with diffusers") from exc


@torch.inference_mode()
def compare_steps(step: Step) -> Pairs:
    module = diffusers_transformer(step.transformer)
    inputs = diffusers_inputs(step.transformer, step.video, step.audio, step.context, step.sigma)
    return run_pairs(step.velocity, lambda: module(**inputs), step.video.latent.device)


@torch.inference_mode()
def _compare_image(components: Components, spec: GenerationSpec, step: Step) -> Pairs | None:
    if not spec.keyframes:
        return None
    plain = Step.of(components, replace(spec, keyframes=()))
    return run_pairs(step.velocity, plain.velocity, components.device)


def run_pairs(ours: Callable[[], object], other: Callable[[], object], device: torch.device) -> Pairs:
    """Run both in turn, after one of each that is not counted."""
    ours(), other()
    return Pairs.of([(busy_seconds(ours, device), busy_seconds(other, device)) for _ in repeat(None, STEP_PAIRS)])


def _render_both(
    components: Components, stock: StockFlow, spec: GenerationSpec, path: Path
) -> tuple[dict[str, float], dict[str, float]]:
    return our_seconds(components, spec, path), stock_seconds(stock, path, components.device)


def our_seconds(components: Components, spec: GenerationSpec, path: Path) -> dict[str, float]:
    """Return the seconds of a clip by stage. The file is written from a clip of its own, beside its decoding."""
    clock, stages = _Stages(components.device), {}
    _forget_keys(components)
    clip = generate(components, spec, clock)
    for _ in clip.frames:
        pass
    stages["denoise"], stages["decode"] = clock.finish()
    _forget_keys(components)
    stages["clip"] = busy_seconds(lambda: render(components, spec, path, Trace()), components.device)
    return stages


def stock_seconds(stock: StockFlow, path: Path, device: torch.device) -> dict[str, float]:
    start = busy_clock(device)
    latents = stock.denoise()
    denoised = busy_clock(device)
    clip = stock.decode(latents)
    decoded = busy_clock(device)
    stock.write(clip, path)
    return {"denoise": denoised - start, "decode": decoded - denoised, "clip": busy_clock(device) - start}


def _forget_keys(components: Components) -> None:
    """Drop what was kept of the prompt, which a clip with a new prompt computes."""
    components.prompt_keys.limit(0)


class _Stages(Trace):
    """Takes the time at which decoding begins."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._start = self._decode = busy_clock(device)

    def stage(self, name: str, steps: int) -> None:
        if name == "decode":
            self._decode = busy_clock(self._device)

    def finish(self) -> tuple[float, float]:
        """Return the seconds before decoding, and those of it."""
        return self._decode - self._start, busy_clock(self._device) - self._decode
