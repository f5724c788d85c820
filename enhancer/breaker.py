"""A circuit breaker: leave a server alone for a while after it has failed several times in a row.

Closed: calls go through. Open: they fail at once. After the pause one call may try (half-open); its result closes the
circuit, or opens it again for the next pause.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from math import ceil

from enhancer.backoff import Backoff
from enhancer.errors import Busy, EnhancerError, TimedOut, Unavailable

# A server that refuses a call, or answers badly, is there: these do not count as failures.
COUNTED = (Unavailable, TimedOut, Busy)


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """delays_s: how long the circuit stays open, as in Backoff. failures: the number in a row that opens it."""

    def __init__(
        self, name: str, failures: int, delays_s: Sequence[float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._limit, self._clock = name, failures, clock
        self._failures = 0  # since it last opened
        self._backoff = Backoff(delays_s)  # counts how often in a row it has opened
        self._open_until: float | None = None
        self._is_tried = False

    @property
    def circuit(self) -> Circuit:
        if self._open_until is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._clock() >= self._open_until else Circuit.OPEN

    def check(self) -> None:
        """Raise Unavailable unless a call may go through now."""
        match self.circuit:
            case Circuit.OPEN:
                assert self._open_until is not None
                seconds = ceil(self._open_until - self._clock())
                raise Unavailable(f"{self._name} has failed and is tried again in {seconds} s")
            case Circuit.HALF_OPEN if self._is_tried:
                raise Unavailable(f"{self._name} has failed and is being tried again")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Wrap one call. Raises Unavailable instead of letting it through; a cancelled call counts neither way."""
        self.check()
        is_trial = self.circuit is Circuit.HALF_OPEN
        self._is_tried |= is_trial
        try:
            yield
        except COUNTED:
            self.fail()
            raise
        except EnhancerError:
            self.succeed()
            raise
        else:
            self.succeed()
        finally:
            if is_trial:
                self._is_tried = False

    def succeed(self) -> None:
        self._failures, self._open_until = 0, None
        self._backoff.reset()

    def fail(self) -> None:
        if self.circuit is Circuit.OPEN:
            return  # a call from before it opened
        self._failures += 1
        if self._failures >= self._limit or self._backoff.failures:
            self._open_until = self._clock() + self._backoff.fail()
            self._failures = 0
