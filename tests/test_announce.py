"""The line about memory that `ltx23 serve` prints when a model is ready."""

import re

import pytest

from pipelines.memory import ComponentSize, MemoryLevel, MemoryPlan, Widths
from server.commands.announce import describe_plan

WIDTHS = Widths(4096, 2048, 3840, 48, upsampler=1024, encoder=128, decoder=128, vocoder=1536, item_bytes=2)
GB = 10**9
COMPONENTS = {
    "transformer": ComponentSize(21 * GB, (1 * GB, *[GB // 2] * 40)),
    "text_encoder": ComponentSize(24 * GB, (2 * GB, *[GB // 2] * 44)),
    "connectors": ComponentSize(6 * GB),
}


@pytest.mark.parametrize(
    ("level", "capacity_gb", "line"),
    [
        (
            MemoryLevel.RESIDENT,
            96,
            r"Memory: 51\.00 GB stay on the device; a default clip peaks at [\d.]+ of 96\.00 GB",
        ),
        (
            MemoryLevel.LOW,
            24,
            r"Memory: 6\.00 GB stay on the device, text_encoder and transformer streamed from host memory except for "
            r"[\d.]+ GB that fit beside a default clip; a default clip peaks at [12]\d\.\d\d of 24\.00 GB",
        ),
        (
            MemoryLevel.LOW,
            11,
            r"Memory: 6\.00 GB stay on the device, text_encoder and transformer streamed from host memory; "
            r"a default clip peaks at [\d.]+ of 11\.00 GB",
        ),
    ],
)
def test_it_says_what_is_where(level: MemoryLevel, capacity_gb: int, line: str) -> None:
    plan = MemoryPlan(level, COMPONENTS, WIDTHS, capacity_gb * GB)

    assert re.fullmatch(line, describe_plan(plan))
