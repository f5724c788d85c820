"""`ltx23 bench`: render clips on this machine, and measure what they take."""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.bench.chart import Chart, render_svg
from pipelines.errors import PipelineError
from pipelines.spec import GenerationSpec
from server.commands.bench_alone import AloneComparison, compare_alone
from server.commands.local_clip import ConsoleTrace, load_for_clip, read_clip_options
from server.process.torch_environment import configure_allocator, wait_passively
from server.settings import SettingsError, setting_error
from weights.errors import WeightsError

if TYPE_CHECKING:
    from pipelines.bench.comparison import Comparison, Pairs
    from pipelines.bench.report import Floor, StepCounts
    from server.worker.model import Model

LABEL, VALUE = 34, 12


@dataclass(frozen=True)
class Subject:
    """The model and clip that were measured, and the device."""

    model: str
    device: str
    cpu_threads: int
    torch: str
    dtype: str
    fp8_linears: int
    speed: str
    width: int
    height: int
    num_frames: int
    keyframes: int
    has_audio: bool
    stages: int


@dataclass(frozen=True)
class MemoryUse:
    """Bytes at the peak of the clips. peak_bytes is None if the system does not report it."""

    planned_bytes: int
    peak_bytes: int | None


@dataclass(frozen=True)
class Report:
    """All that is printed. clips: how many were measured, after the warm-up. The seconds are their medians.

    diffusers, diffusers_alone: None unless asked for; the second one, too, where diffusers could not load the weights.
    """

    subject: Subject
    clips: int
    stage_s: dict[str, float]
    total_s: float
    step: "StepCounts"
    denoise_floor: "Floor"
    memory: MemoryUse
    diffusers: "Comparison | None"
    diffusers_alone: AloneComparison | None = None


def bench(
    *,
    clips: int,
    compare: str | None,
    as_json: bool,
    chart: Path | None,
    arithmetic: str,
    lora_rank: int,
    **options: Any,
) -> int:
    """Measure. arithmetic, lora_rank: of a model, which are not used."""
    wait_passively()
    configure_allocator()
    trace = ConsoleTrace(keep_tensors=False)
    try:
        if clips < 2:
            raise SettingsError(f"--clips: should be 2 or more, because the first one is the warm-up, got {clips}")
        validate_chart(chart)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            config, spec = read_clip_options(path, **options)
            model = load_for_clip(config, spec, trace)
            if compare is not None:
                validate_comparable(model, spec)
            report = measure(model, spec, path, clips, trace, compare is not None)
            if compare is not None:
                del model  # its memory is needed
                report = replace(report, diffusers_alone=compare_alone(config, spec, Path(folder)))
        if chart is not None:
            chart.write_text(render_svg(report_chart(report)))
    except (PipelineError, WeightsError, SettingsError, OSError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    finally:
        trace.close()
    print(json.dumps(asdict(report), indent=2) if as_json else "\n".join(report_table(report)))
    return 0


def validate_chart(path: Path | None) -> None:
    """Raise SettingsError if there is no place for the chart."""
    if path is not None and (path.suffix != ".svg" or not path.parent.is_dir()):
        raise SettingsError(f"--chart: should be a file that ends in .svg, in a folder that is there, got {path}")


def report_chart(report: Report) -> Chart:
    subject = report.subject
    return Chart(
        f"{subject.width}x{subject.height}, {subject.num_frames} frames, {subject.device}",
        f"model {subject.model}, {subject.dtype}, {subject.fp8_linears} layers in FP8, median of {report.clips}",
        "seconds",
        ("measured",),
        {stage: (seconds,) for stage, seconds in report.stage_s.items()},
        {"denoise": report.denoise_floor.floor_s},
    )


def validate_comparable(model: "Model", spec: GenerationSpec) -> None:
    """Raise SettingsError if diffusers' pipeline cannot take the weights as they were loaded, or render the clip."""
    if any(keyframe.frame_idx or keyframe.strength < 1 for keyframe in spec.keyframes):
        raise SettingsError("--keyframe: --compare diffusers takes one image at most, at frame 0 with strength 1")
    if spec.source is not None:
        raise SettingsError("--retake, --continue-from: --compare diffusers renders no clip from another one")
    if spec.sound is not None:
        raise SettingsError("--audio: --compare diffusers renders no clip to a given sound")
    if spec.loras:
        raise SettingsError("--lora: --compare diffusers renders no clip with a LoRA")
    if model.info.fp8_linears:
        raise setting_error("fp8", "--compare diffusers needs plain weights: dequantize")
    if "transformer" in model.components.plan.streamed:
        raise setting_error("memory", "--compare diffusers needs the transformer on the device: resident or balanced")


def measure(
    model: "Model", spec: GenerationSpec, path: Path, count: int, trace: ConsoleTrace, compares: bool
) -> Report:
    """Render the clips first, because the rest would change their peak memory. Raises PipelineError."""
    from pipelines.bench.comparison import compare_with_diffusers
    from pipelines.bench.report import count_step, measure_clips, measure_floor, planned_peak_bytes
    from pipelines.bench.step import Step

    components = model.components
    peak = ClipMemory(model)
    clips = measure_clips(model.render, components, spec, path, count, trace)
    trace.close()
    memory = MemoryUse(planned_peak_bytes(components, spec), peak.read_bytes())
    step = Step.of(components, spec)
    diffusers = compare_with_diffusers(components, spec, step, path, count - 1) if compares else None
    return Report(
        describe(model, spec),
        count - 1,
        clips.stage_s,
        clips.total_s,
        # After everything that runs what was compiled, which counting forgets.
        count_step(components, spec, step),
        measure_floor(clips, components.device),
        memory,
        diffusers,
    )


class ClipMemory:
    """Measures the peak from its creation on, after the model was loaded, as the plan counts it.

    The plan of a CPU counts weights and activations, but not Python and its libraries; so there the peak is the loaded
    weights and what the resident memory grows by.
    """

    def __init__(self, model: "Model") -> None:
        from server.worker.memory import PeakMemory, host_memory

        self._peak = PeakMemory(model.components.device)
        is_cuda = model.components.device.type == "cuda"
        self._added_bytes = 0 if is_cuda else model.components.plan.resident_bytes - host_memory().resident_bytes

    def read_bytes(self) -> int | None:
        peak_bytes = self._peak.read_bytes()
        return None if peak_bytes is None else peak_bytes + self._added_bytes


def describe(model: "Model", spec: GenerationSpec) -> Subject:
    import torch

    info = model.info
    return Subject(
        model="tiny" if info.is_tiny else info.checkpoint,
        device=info.device,
        cpu_threads=torch.get_num_threads(),
        torch=torch.__version__,
        dtype=info.dtype,
        fp8_linears=info.fp8_linears,
        speed=info.speed.mode,
        width=spec.width,
        height=spec.height,
        num_frames=spec.num_frames,
        keyframes=len(spec.keyframes),
        has_audio=spec.generate_audio,
        stages=spec.stages,
    )


def report_table(report: Report) -> Iterator[str]:
    """Yield the lines of the table for the terminal."""
    subject, step, floor, memory = report.subject, report.step, report.denoise_floor, report.memory
    fp8 = f", {subject.fp8_linears} layers in FP8" if subject.fp8_linears else ""
    machine = f"{subject.device}, {subject.cpu_threads} CPU threads, torch {subject.torch}"
    yield f"model {subject.model}, {subject.dtype}{fp8}, {subject.speed}; {machine}"
    sound, images = "sound" if subject.has_audio else "no sound", f"images: {subject.keyframes}"
    yield f"{subject.width}x{subject.height}, {subject.num_frames} frames, {sound}, {images}, stages: {subject.stages}"
    yield f"seconds, median of {report.clips} after a warm-up"
    for stage, seconds in (report.stage_s | {"in all": report.total_s}).items():
        yield _row(stage, f"{seconds:.3f}")
    yield "a denoising step at the clip's size"
    yield _row("operations", f"{step.operations}")
    yield _row("views", f"{step.views}")
    yield _row("graph breaks", "streamed" if step.graph_breaks is None else f"{step.graph_breaks}")
    if step.recompiles is not None:
        yield _row("recompiles after the start", f"{step.recompiles}")
    yield "denoising against its floor"
    for dtype, flops in floor.flops.items():
        yield _row(f"{dtype}, GFLOP a clip", f"{flops / 1e9:.2f}")
        yield _row(f"{dtype}, GFLOP/s of a large matmul", f"{floor.flops_per_s[dtype] / 1e9:.0f}")
    yield _row("floor, s", f"{floor.floor_s:.3f}")
    yield _row("floor / denoise, %", f"{100 * floor.share:.1f}")
    yield "memory at the peak, GB"
    yield _row("planned", f"{memory.planned_bytes / 1e9:.2f}")
    yield _row("measured", "unknown" if memory.peak_bytes is None else f"{memory.peak_bytes / 1e9:.2f}")
    if report.diffusers is not None:
        yield from _compared(report)


def _compared(report: Report) -> Iterator[str]:
    clock = "CPU seconds" if report.subject.device == "cpu" else "seconds"
    found, alone = report.diffusers, report.diffusers_alone
    assert found is not None
    yield _versus(f"beside diffusers, {clock}", "ltx23", "diffusers", "ratio")
    for name, pairs in (("a step", found.step), ("denoise", found.denoise), ("decode", found.decode)):
        yield _pairs(name, pairs)
    yield _pairs("clip, with its file", found.clip)
    if alone is not None:
        yield _pairs("start of a process", alone.start_s)
        if alone.peak_gb is not None:
            yield _pairs("its memory at the peak, GB", alone.peak_gb)
    if found.image_step is not None:
        yield _versus(f"a step of ltx23, {clock}", "image", "no image", "ratio")
        yield _pairs("with the clip's images", found.image_step)


def _pairs(label: str, pairs: "Pairs") -> str:
    return _versus(f"  {label}", f"{pairs.ours:.3f}", f"{pairs.other:.3f}", f"{pairs.ratio:.3f}")


def _versus(label: str, *cells: str) -> str:
    return f"{label:<{LABEL}}" + "".join(f"{cell:>{VALUE}}" for cell in cells)


def _row(label: str, value: str) -> str:
    return f"  {label:<{LABEL}}{value:>{VALUE}}"
