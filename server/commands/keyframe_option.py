"""The option `--keyframe`, as text."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import SpecError

# PATH:FRAME_IDX:STRENGTH:CRF, parsed from the right because a path may contain colons.
KEYFRAME = re.compile(r"(?P<path>.+?):(?P<frame_idx>-?\d+)(:(?P<strength>\d*\.?\d+))?(:(?P<crf>\d+))?")


@dataclass(frozen=True)
class KeyframeOption:
    """frame_idx: -1 is the last frame. strength, crf: None if left out."""

    path: Path
    frame_idx: int
    strength: float | None
    crf: int | None


def parse_keyframe(text: str) -> KeyframeOption:
    """Raises SpecError."""
    match = KEYFRAME.fullmatch(text)
    if match is None:
        raise SpecError("keyframe", f"should be PATH:FRAME_IDX[:STRENGTH[:CRF]], got {text!r}")
    return KeyframeOption(
        path=Path(match["path"]),
        frame_idx=int(match["frame_idx"]),
        strength=None if match["strength"] is None else float(match["strength"]),
        crf=None if match["crf"] is None else int(match["crf"]),
    )
