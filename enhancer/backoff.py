"""Wait longer after each failure in a row."""

from collections.abc import Sequence


class Backoff:
    """Counts failures. delays_s: the delay after the first failure, the second, ...; the last value repeats."""

    def __init__(self, delays_s: Sequence[float]) -> None:
        self._delays_s = tuple(delays_s)
        self.failures = 0

    def fail(self) -> float:
        """Count a failure, and return the delay before the next attempt in seconds."""
        delay_s = self._delays_s[min(self.failures, len(self._delays_s) - 1)]
        self.failures += 1
        return delay_s

    def reset(self) -> None:
        """Forget the failures: an attempt has succeeded."""
        self.failures = 0
