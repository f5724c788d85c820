"""Format a memory plan as a table for the terminal, with one column per level. Needs no model and no files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.bench.cards import LINKS
from pipelines.memory import DEFAULT_CLIP, RESERVED_BYTES, SMALLEST_CLIP, ClipSize, MemoryPlan

CLIPS = (
    replace(DEFAULT_CLIP, is_conditioned=False),
    ClipSize(1920, 1088, 121),
    ClipSize(1920, 1088, 241),
    ClipSize(3840, 2176, 121),
)

LABEL, SIZE, COLUMN = 30, 6, 14


def plan_table(plans: Sequence[MemoryPlan], steps: int) -> Iterator[str]:
    """Yield the lines of the table. `plans` are for the same models, one per level. steps: those of a clip."""
    components = plans[0].components
    yield _row("weights", "GB", [plan.level for plan in plans])
    for name, component in components.items():
        places = ["streamed" if name in plan.streamed else "device" for plan in plans]
        yield _row(f"  {name}", _gb(component.size_bytes), places)
    total = _gb(sum(component.size_bytes for component in components.values()))
    yield _row("  on the device", total, [_gb(plan.resident_bytes) for plan in plans])
    yield _row("  pinned in host memory", "", [_gb(plan.host_bytes) for plan in plans])
    if any(plan.streamed for plan in plans):
        yield from _copies(plans, steps)
    yield "needed on the device, GB at the peak"
    for clip in CLIPS:
        yield _row(f"  {clip}", "", [_needed(plan, clip) for plan in plans])
        conditioned = replace(clip, is_conditioned=True)
        if any(plan.peak_bytes(conditioned) != plan.peak_bytes(clip) for plan in plans):
            yield _row("    from an image", "", [_needed(plan, conditioned) for plan in plans])


def _copies(plans: Sequence[MemoryPlan], steps: int) -> Iterator[str]:
    """Yield what a default clip copies from host memory, and the seconds that its link needs for that."""
    yield "streamed for a default clip, GB"
    yield _row("  on the device meanwhile", "", [_gb(_kept_bytes(plan)) for plan in plans])
    copied = [plan.copied_bytes(DEFAULT_CLIP, steps) for plan in plans]
    yield _row("  copied to it, in all", "", [_gb(size_bytes) for size_bytes in copied])
    for link, bytes_per_s in LINKS.items():
        yield _row(f"    s, {link}", "", [f"{size_bytes / bytes_per_s:.1f}" for size_bytes in copied])


def _kept_bytes(plan: MemoryPlan) -> int:
    return sum(plan.components[name].kept_bytes(count) for name, count in plan.kept(DEFAULT_CLIP).items())


def verdict(plan: MemoryPlan, is_chosen: bool) -> str:
    """Return a sentence about the plan that a server would use. `is_chosen`: `auto` chose it."""
    subject = f"--memory auto takes {plan.level}" if is_chosen else f"--memory {plan.level}"
    if plan.fits(DEFAULT_CLIP):
        return f"{subject}: the default clip fits."
    smaller = plan.smaller(DEFAULT_CLIP)
    if smaller is not None:
        return f"{subject}: the default clip does not fit, {smaller} would."
    if plan.fits(SMALLEST_CLIP):
        return f"{subject}: the default clip does not fit, nor does a smaller one of its length; {SMALLEST_CLIP} does."
    return f"{subject}: nothing fits."


def _needed(plan: MemoryPlan, clip: ClipSize) -> str:
    """Return the memory that a clip needs, including the bytes reserved for kernels, and whether it fits."""
    return f"{_gb(plan.peak_bytes(clip) + RESERVED_BYTES)} {'fits' if plan.fits(clip) else '  no'}"


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f}"


def _row(label: str, size: str, cells: Sequence[str]) -> str:
    return f"{label:<{LABEL}}{size:>{SIZE}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)
