"""How long the steps of the running job take, from the messages that tell of them."""

from collections.abc import Callable

from server.messages import Progress


class StepTimes:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: Progress | None = None
        self._last_at = 0.0

    def measure(self, progress: Progress) -> float | None:
        """The seconds of a step that ends now; None at the beginning of a stage."""
        now, before, before_at = self._clock(), self._last, self._last_at
        self._last, self._last_at = progress, now
        if before is None or (before.job_id, before.stage) != (progress.job_id, progress.stage):
            return None
        count = progress.step - before.step
        return (now - before_at) / count if count > 0 else None
