"""`ltx23 bench --model`: print how long a clip would take on a card, from counts, without the card or weights."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.bench.cards import CARDS, Arithmetic
from pipelines.bench.chart import Chart, render_svg
from pipelines.errors import SpecError
from pipelines.memory import MemoryLevel
from server.commands.bench import validate_chart
from server.commands.guidance_options import GUIDANCE_OPTIONS
from server.commands.local_clip import build_spec
from server.settings import SettingsError, WeightSettings, load_settings

if TYPE_CHECKING:
    from pipelines.bench.roofline import Roofline

TITLE = "a model, not a measurement"
LABEL, COLUMN = 12, 12


MAX_LORA_RANK = 1024


def bench_model(
    card: str, *, arithmetic: str, lora_rank: int, as_json: bool, chart: Path | None, **options: Any
) -> int:
    settings = {name: options.pop(name, None) for name in WeightSettings.model_fields}
    try:
        loaded = load_settings(stages=settings["stages"], memory=settings["memory"])
        names = (
            *("prompt", "seed", "width", "height", "num_frames", "duration", "fps", "keyframes", "generate_audio"),
            *(
                "image",
                "audio",
                "audio_start",
                "retake",
                "retake_keep",
                "continue_from",
                "tail_guard",
                *GUIDANCE_OPTIONS,
            ),
        )
        spec = build_spec(Path("clip.mp4"), loaded.stages, **{name: options[name] for name in names})
        validate_chart(chart)
        if options["loras"]:
            raise SettingsError("--lora: --model reads no files; give the rank alone, as --lora-rank")
        if not 0 <= lora_rank <= MAX_LORA_RANK:
            raise SettingsError(f"--lora-rank: should be 0 .. {MAX_LORA_RANK}, got {lora_rank}")
        if arithmetic != Arithmetic.BF16 and CARDS[card].fp8_tflops is None:
            raise SettingsError(
                f"--arithmetic: {CARDS[card].name} does not multiply FP8; {Arithmetic.BF16} is possible"
            )
    except (SpecError, SettingsError) as exc:
        print(f"ltx23: error: {exc}", file=sys.stderr)
        return 1
    from pipelines.bench.roofline import model_clip

    level = None if loaded.memory == "auto" else MemoryLevel(loaded.memory)
    roofline = model_clip(CARDS[card], Arithmetic(arithmetic), spec, level, lora_rank)
    if chart is not None:
        chart.write_text(render_svg(roofline_chart(roofline)))
    print(json.dumps(asdict(roofline), indent=2) if as_json else "\n".join(roofline_table(roofline)))
    return 0


def roofline_chart(roofline: "Roofline") -> Chart:
    return Chart(
        f"{roofline.width}x{roofline.height}, {roofline.num_frames} frames, {roofline.card}: {TITLE}",
        f"LTX-2.3 22B, {roofline.arithmetic}, images: {roofline.keyframes}",
        "milliseconds",
        ("eager", "compiled", "graphs"),
        {name: (time.eager_ms, time.compiled_ms, time.graphs_ms) for name, time in roofline.times.items()},
        {name: time.floor_ms for name, time in roofline.times.items()},
    )


def roofline_table(roofline: "Roofline") -> Iterator[str]:
    """Yield the lines of the table for the terminal."""
    yield f"LTX-2.3 22B, {roofline.arithmetic}, {roofline.card}: {TITLE}"
    sound, images = "sound" if roofline.has_audio else "no sound", f"images: {roofline.keyframes}"
    lora = f", LoRA of rank {roofline.lora_rank}: {roofline.lora_gb:.2f} GB" if roofline.lora_rank else ""
    yield (f"{roofline.width}x{roofline.height}, {roofline.num_frames} frames, {sound}, {images}{lora}, "
           f"stages: {roofline.stages}; memory: {roofline.memory}")  # fmt: skip
    if not roofline.fits:
        yield "the clip does not fit into the card's memory"
    yield _row("counted", ["TFLOP", "GB", "launches", "views", "fused: GB", "launches"])
    for name, count in roofline.counts.items():
        yield _row(f"  {name}", [f"{sum(count.tflop.values()):.1f}", f"{count.moved_gb:.0f}", f"{count.launches}",
                                 f"{count.views}", f"{count.fused_gb:.0f}", f"{count.fused_launches}"])  # fmt: skip
    yield _row("milliseconds", ["floor", "matrix", "eager", "compiled", "graphs"])
    for name, time in (roofline.times | {"in all": roofline.total}).items():
        yield _row(f"  {name}", [f"{cell:.0f}" for cell in astuple(time)])
    yield "assumed"
    yield from (f"  - {assumption}" for assumption in roofline.assumptions)
    yield f"peaks of the card: {roofline.source}"


def _row(label: str, cells: Sequence[str]) -> str:
    return f"{label:<{LABEL}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells)
