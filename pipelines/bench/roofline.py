"""Model how long a clip would take on a card, from the operations of the 22B model counted on `meta`.

Neither a card nor weights are needed. The counts are exact: they come from the calls that render a clip. The times are
a model, by the assumptions in `ASSUMPTIONS` and `cards`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from pipelines.bench.cards import BANDWIDTH_REACH, GB, LINKS, Arithmetic, Card, Work
from pipelines.bench.kernels import OPERATION_US, SHORTEST_US, VIEW_US, Kernel, eager_kernels, fused_kernels
from pipelines.bench.stages import Stage, record_stages, shape_components
from pipelines.memory import ClipSize, MemoryLevel
from pipelines.spec import GenerationSpec

ASSUMPTIONS = (
    f"a kernel takes the longest of its matrix work, its memory traffic at {BANDWIDTH_REACH:.0%} of the bandwidth, and "
    f"{SHORTEST_US} us",
    f"the host needs {OPERATION_US:g} us to issue an operation, {VIEW_US:g} us for a view, and never waits in a stage",
    "compiled: in each block of the transformer, the chain between two matrix operations is one kernel, views are free",
    "graphs: as compiled, and the host issues nothing, but a prompt's keys and values are computed at each step",
    "only the stages that denoise are compiled, and only if their weights stay on the card; the others are eager",
    "floor: the matrix work alone, at the published peak",
    "matrix: the kernels of the matrix work alone, at the shares of the peaks that are reached",
    "weights that do not fit are copied at the speed of the link while the card computes",
    "caches, the layouts that cuDNN prefers, the encoding of the file and reading it back are not in it",
)


@dataclass(frozen=True)
class StageCounts:
    """Counts of a whole stage. tflop: by the kind of matrix work. fused: with the chains of its blocks fused."""

    tflop: dict[str, float]
    moved_gb: float
    launches: int
    views: int
    fused_launches: int
    fused_gb: float


@dataclass(frozen=True)
class StageTimes:
    """Modelled milliseconds."""

    floor_ms: float
    matrix_ms: float
    eager_ms: float
    compiled_ms: float
    graphs_ms: float


@dataclass(frozen=True)
class Roofline:
    """A clip modelled on a card. memory: the level that the card has room for."""

    card: str
    source: str
    arithmetic: Arithmetic
    width: int
    height: int
    num_frames: int
    keyframes: int
    lora_rank: int
    lora_gb: float
    has_audio: bool
    stages: int
    memory: str
    fits: bool
    assumptions: tuple[str, ...]
    counts: dict[str, StageCounts]
    times: dict[str, StageTimes]
    total: StageTimes


def model_clip(
    card: Card, arithmetic: Arithmetic, spec: GenerationSpec, memory: MemoryLevel | None = None, lora_rank: int = 0
) -> Roofline:
    """Model a clip whose prompt is new. memory: as in `choose_plan`. lora_rank: of a LoRA on every layer, if not 0."""
    components = shape_components(card, arithmetic, spec.stages, memory)
    if lora_rank:
        components.loras.use_example(lora_rank)
    clip = replace(ClipSize.of(spec), lora_bytes=components.loras.kept_bytes)
    stages = list(record_stages(components, spec))
    counts, times = {}, {}
    for stage in stages:
        eager = eager_kernels(stage.operations)
        fused = eager if stage.in_graphs is None else fused_kernels(stage.operations)
        counts[stage.name] = count_stage(stage, eager, fused)
        in_graphs_s = (
            queue_s(eager, card)
            if stage.in_graphs is None
            else sum(kernel.seconds(card) for kernel in fused_kernels(stage.in_graphs))
        )
        times[stage.name] = time_stage(card, eager, fused, in_graphs_s, stage.copied_bytes / LINKS[card.link])
    columns = zip(*map(astuple, times.values()), strict=True)
    return Roofline(
        card.name,
        card.source,
        arithmetic,
        spec.width,
        spec.height,
        spec.num_frames,
        len(spec.keyframes),
        lora_rank,
        clip.lora_bytes / GB,
        spec.generate_audio,
        spec.stages,
        components.plan.level,
        components.plan.fits(clip),
        (*ASSUMPTIONS, assumed_reach(card)),
        counts,
        times,
        StageTimes(*map(sum, columns)),
    )


def assumed_reach(card: Card) -> str:
    return "reached of the peaks: " + ", ".join(f"{work} {reach:.0%}" for work, reach in card.reach.items())


def count_stage(stage: Stage, eager: list[Kernel], fused: list[Kernel]) -> StageCounts:
    flops: Counter[Work] = Counter()
    for kernel in eager:
        if kernel.work is not None:
            flops[kernel.work] += kernel.flops
    return StageCounts(
        tflop={work: flops[work] / 1e12 for work in Work if flops[work]},
        moved_gb=sum(kernel.moved_bytes for kernel in eager) / GB,
        launches=len(eager),
        views=sum(operation.times for operation in stage.operations if operation.is_view),
        fused_launches=len(fused),
        fused_gb=sum(kernel.moved_bytes for kernel in fused) / GB,
    )


def time_stage(card: Card, eager: list[Kernel], fused: list[Kernel], in_graphs_s: float, copied_s: float) -> StageTimes:
    floor_s = sum(kernel.flops / card.peak_flops_per_s(kernel.work) for kernel in eager if kernel.work)
    matrix_s = sum(kernel.seconds(card) for kernel in eager if kernel.work)
    columns = (queue_s(eager, card), queue_s(fused, card), in_graphs_s)
    return StageTimes(1e3 * floor_s, 1e3 * matrix_s, *(1e3 * max(seconds, copied_s) for seconds in columns))


def queue_s(kernels: Iterable[Kernel], card: Card) -> float:
    """Return when the last kernel ends: each starts when the host has issued it and the one before has ended."""
    issued = ended = 0.0
    for kernel in kernels:
        issued += 1e-6 * kernel.host_us
        ended = max(issued, ended) + kernel.seconds(card)
    return ended
