"""GenerationSpec refuses impossible values and names the field."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import SpecError
from pipelines.spec import GenerationSpec, Keyframe

VALID: dict[str, Any] = {
    "prompt": "a fox",
    "seed": 0,
    "width": 64,
    "height": 128,
    "num_frames": 9,
    "frame_rate": Fraction(24),
}


def keyframes(*frame_idx: int, **fields: float) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(Path("a.png"), i, **fields) for i in frame_idx)  # type: ignore[arg-type]


def test_duration_is_exact() -> None:
    assert GenerationSpec(**VALID).duration_s == Fraction(9, 24)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("width", {"width": 96}),
        ("height", {"height": 0}),
        ("num_frames", {"num_frames": 10}),
        ("num_frames", {"num_frames": 1}),
        ("seed", {"seed": -1}),
        ("seed", {"seed": 2**64}),
        ("frame_rate", {"frame_rate": Fraction(0)}),
        ("stages", {"stages": 3}),
        ("keyframes.0.frame_idx", {"keyframes": keyframes(9)}),
        ("keyframes.1.frame_idx", {"keyframes": keyframes(4, 4)}),
        ("keyframes.0.strength", {"keyframes": keyframes(0, strength=1.1)}),
        ("keyframes.0.crf", {"keyframes": keyframes(0, crf=52)}),
    ],
)
def test_an_impossible_value_is_refused_by_field(field: str, changes: dict[str, object]) -> None:
    with pytest.raises(SpecError) as caught:
        GenerationSpec(**VALID | changes)
    assert caught.value.field == field
