"""How far the server is on the way to its model: fetching weights, then loading them."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# The time left is computed from what was done in this time.
WINDOW_S = 30.0
# Two samples closer to each other tell no speed.
SAMPLE_S = 1.0


class Stage(StrEnum):
    FETCHING = "fetching"
    VERIFYING = "verifying"
    LOADING = "loading"


@dataclass(frozen=True)
class LoadingStatus:
    """The progress of one stage.

    name: the file or the component at work; None before the first. done_bytes, total_bytes: of all files to fetch, of
    the file that is verified, or of all components to load; a total of 0 is unknown.
    """

    stage: Stage
    name: str | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    seconds_left: float | None = None


class LoadingProgress:
    """Keeps the latest progress, and computes the time left. now_s: a clock in seconds."""

    def __init__(self, stage: Stage, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._status = LoadingStatus(stage)
        self._samples: deque[tuple[float, int]] = deque()

    @property
    def status(self) -> LoadingStatus:
        return self._status

    def update(self, stage: Stage, name: str, done_bytes: int, total_bytes: int) -> None:
        before = self._status
        if (stage, total_bytes) != (before.stage, before.total_bytes) or done_bytes < before.done_bytes:
            self._samples.clear()
        self._sample(done_bytes)
        self._status = LoadingStatus(stage, name, done_bytes, total_bytes, self._seconds_left(done_bytes, total_bytes))

    def _sample(self, done_bytes: int) -> None:
        now = self._now_s()
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, done_bytes))
        while now - self._samples[0][0] > WINDOW_S and len(self._samples) > 1:
            self._samples.popleft()

    def _seconds_left(self, done_bytes: int, total_bytes: int) -> float | None:
        since, before_bytes = self._samples[0]
        elapsed_s, moved_bytes = self._now_s() - since, done_bytes - before_bytes
        if elapsed_s < SAMPLE_S or moved_bytes <= 0 or total_bytes == 0:
            return None
        return (total_bytes - done_bytes) * elapsed_s / moved_bytes
