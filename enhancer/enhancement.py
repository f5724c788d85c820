"""The input and output of an enhancer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from enhancer.messages import Mode


def zero_timings_s() -> dict[str, float]:
    return {"caption": 0.0, "rewrite": 0.0}


@dataclass(frozen=True)
class EnhanceRequest:
    """image_path: the clip's first image.

    seed: the clip's. The model does not sample, so it only separates requests in the cache.
    """

    prompt: str
    mode: Mode = Mode.T2V
    image_path: Path | None = None
    seed: int = 0
    duration_s: float = 5.0


@dataclass(frozen=True)
class Enhancement:
    """prompt: the one to use; the original if not `enhanced`. notes: a sentence for each failure.

    timings_s: `caption` and `rewrite`, in seconds of work; 0 for cached results.
    """

    prompt: str
    caption: str | None = None
    enhanced: bool = False
    notes: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=zero_timings_s)


@dataclass(frozen=True)
class EnhancerLimits:
    """running: rewrites at a time. waiting, wait_s: the queue behind them. cached: rewrites that are kept.

    failures: the number in a row after which the language model is left alone, for backoff_s (see Backoff).
    """

    running: int = 4
    waiting: int = 32
    wait_s: float = 10.0
    cached: int = 256
    failures: int = 3
    backoff_s: tuple[float, ...] = (15.0, 30.0, 60.0)


class Result(StrEnum):
    """The result of a prompt that was to be enhanced."""

    ENHANCED = "enhanced"
    WITHOUT_CAPTION = "without_caption"  # rewritten without a caption of its image
    FAILED = "failed"


class EnhancerStatus(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"  # prompts are rewritten, but not all of them fully
    DOWN = "down"  # prompts are used unchanged
    OFF = "off"


@dataclass(frozen=True)
class EnhancerState:
    status: EnhancerStatus
    reasons: tuple[str, ...] = ()
