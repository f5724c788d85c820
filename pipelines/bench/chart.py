"""Draw times by stage as bars beside their floor, as an SVG that is legible on light and dark pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, MARGIN, LETTER_WIDTH, VALUE_WIDTH = 760, 16, 8, 64
BAR, BAR_GAP, GROUP_GAP, LINE = 14, 3, 16, 20

# Of a contrast above 3 with white and with near black.
COLOURS = ("#c2703d", "#4d82c4", "#3f9168")
STYLE = """
svg { background: #ffffff; font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.floor { stroke: #1f2328; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) { svg { background: #0d1117; fill: #e6edf3 } .floor { stroke: #e6edf3 } }
"""


@dataclass(frozen=True)
class Chart:
    """Values by stage, one for each of the series, and the floor of those stages that have one, all in `unit`."""

    title: str
    subtitle: str
    unit: str
    series: Sequence[str]
    stages: Mapping[str, Sequence[float]]
    floors: Mapping[str, float]


def render_svg(chart: Chart) -> str:
    group = len(chart.series) * (BAR + BAR_GAP) + GROUP_GAP
    top = MARGIN + 3 * LINE + GROUP_GAP
    height = top + len(chart.stages) * group
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"',
        'aria-labelledby="title desc">',
        f'<title id="title">{escape(chart.title)}</title>',
        f'<desc id="desc">{escape(describe(chart))}</desc>',
        f"<style>{STYLE}</style>",
        _text(MARGIN, MARGIN + 12, chart.title, "title"),
        _text(MARGIN, MARGIN + 12 + LINE, chart.subtitle),
        *_legend(chart.series, MARGIN + 2 * LINE),
    ]
    left = 2 * MARGIN + LETTER_WIDTH * max(map(len, chart.stages))
    scale = (WIDTH - MARGIN - VALUE_WIDTH - left) / max(max(values) for values in chart.stages.values())
    for index, (stage, values) in enumerate(chart.stages.items()):
        lines += _group(stage, values, chart.floors.get(stage), scale, left, top + index * group)
    return "\n".join([*lines, "</svg>", ""])


def describe(chart: Chart) -> str:
    """Return all values of the chart as text."""
    stages = []
    for stage, values in chart.stages.items():
        named = [f"{name} {_number(value)}" for name, value in zip(chart.series, values, strict=True)]
        named += [f"floor {_number(chart.floors[stage])}"] if stage in chart.floors else []
        stages.append(f"{stage}: {', '.join(named)}")
    return f"{chart.subtitle}. In {chart.unit}: {'; '.join(stages)}."


def _legend(series: Sequence[str], y: int) -> Iterator[str]:
    x = MARGIN
    for name, colour in zip(series, COLOURS, strict=False):
        yield f'<rect x="{x}" y="{y}" width="{BAR}" height="{BAR}" fill="{colour}"/>'
        yield _text(x + BAR + 6, y + 12, name)
        x += BAR + 30 + 7 * len(name)
    yield f'<path class="floor" d="M{x + 4} {y}v{BAR}"/>'
    yield _text(x + 12, y + 12, "floor: matrix work at the peak")


def _group(stage: str, values: Sequence[float], floor: float | None, scale: float, left: int, y: int) -> Iterator[str]:
    height = len(values) * (BAR + BAR_GAP) - BAR_GAP
    yield _text(MARGIN, y + height // 2 + 5, stage)
    for index, (value, colour) in enumerate(zip(values, COLOURS, strict=False)):
        top, width = y + index * (BAR + BAR_GAP), round(value * scale, 1)
        yield f'<rect x="{left}" y="{top}" width="{width}" height="{BAR}" fill="{colour}"/>'
        yield _text(round(left + width + 6), top + 12, _number(value))
    if floor is not None:
        yield f'<path class="floor" d="M{round(left + floor * scale, 1)} {y - 3}v{height + 6}"/>'


def _text(x: float, y: float, text: str, name: str = "plain") -> str:
    return f'<text class="{name}" x="{x}" y="{y}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
