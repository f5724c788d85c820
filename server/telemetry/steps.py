"""Measure the steps of running jobs from their progress messages."""

from collections.abc import Callable

from server.worker.messages import Progress


class StepTimes:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[Progress, float]] = {}

    def measure(self, progress: Progress) -> float | None:
        """Return the seconds of the step that ends now; None at the beginning of a stage."""
        now = self._clock()
        before, before_at = self._last.get(progress.job_id, (None, now))
        self._last[progress.job_id] = progress, now
        if before is None or before.stage != progress.stage:
            return None
        count = progress.step - before.step
        return (now - before_at) / count if count > 0 else None

    def forget(self, job_id: str) -> None:
        """Forget a job that has ended."""
        self._last.pop(job_id, None)
