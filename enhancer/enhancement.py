"""What goes into an enhancer and comes out of it. Frozen; knows nothing of how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from enhancer.messages import Mode


def no_time_s() -> dict[str, float]:
    return {"caption": 0.0, "rewrite": 0.0}


@dataclass(frozen=True)
class EnhanceRequest:
    """image_path: the clip's first image, a PNG, JPEG or WebP file.

    seed: of the clip. The model chooses nothing by chance; requests that differ in it alone are not taken for the same.
    """

    prompt: str
    mode: Mode = Mode.T2V
    image_path: Path | None = None
    seed: int = 0
    duration_s: float = 5.0


@dataclass(frozen=True)
class Enhancement:
    """prompt: the one to use; the original where `enhanced` is false. notes: a sentence for each thing that failed.

    timings_s: `caption` and `rewrite`, in seconds of work; 0 for what was known already.
    """

    prompt: str
    caption: str | None = None
    enhanced: bool = False
    notes: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=no_time_s)


@dataclass(frozen=True)
class EnhancerLimits:
    """running: rewrites at a time. waiting, wait_s: behind them. cached: rewrites that are remembered.

    failures: so many in a row, and the language model is left alone for each of pauses_s in turn.
    """

    running: int = 4
    waiting: int = 32
    wait_s: float = 10.0
    cached: int = 256
    failures: int = 3
    pauses_s: tuple[float, ...] = (15.0, 30.0, 60.0)


class Result(StrEnum):
    """What became of a prompt that was to be enhanced."""

    ENHANCED = "enhanced"
    WITHOUT_CAPTION = "without_caption"  # rewritten, and its image not looked at
    FAILED = "failed"


class Status(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"  # prompts are rewritten, but not all as they should be
    DOWN = "down"  # prompts are used as they come
    OFF = "off"


@dataclass(frozen=True)
class EnhancerState:
    status: Status
    reasons: tuple[str, ...] = ()
