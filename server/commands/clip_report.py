"""What `ltx23 generate` tells about a clip: a line for people, or JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ClipReport:
    """A clip that is written. adjustments: what a server did not use as it was sent, as JSON."""

    file: Path
    seed: int
    width: int
    height: int
    frames: int
    fps: float
    timings_s: Mapping[str, float]
    adjustments: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        seconds = ", ".join(f"{name} {value:.2f}" for name, value in self.timings_s.items())
        return f"{self.file}: {self.width}x{self.height}, {self.frames} frames, seed {self.seed} (seconds: {seconds})"

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "seed": self.seed,
            "size": f"{self.width}x{self.height}",
            "frames": self.frames,
            "fps": round(self.fps, 6),
            "size_bytes": self.file.stat().st_size,
            "timings": {name: round(seconds, 4) for name, seconds in self.timings_s.items()},
            "adjustments": list(self.adjustments),
        }
