"""Count requests, so that a fault with `times` or `for` ends."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from server.rehearsal.fault import Fault

# The counts that are kept; the one that was unused for longest goes first.
MAX_COUNTS = 10_000


@dataclass
class _Count:
    first_at: float
    requests: int = 0


class Counts:
    """Counts the requests that faults have happened to, and the time since the first. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[Hashable, _Count] = OrderedDict()

    def happens(self, fault: Fault, key: Hashable) -> bool:
        """Count a request, and return whether the fault still happens to it."""
        if not fault.is_limited:
            return True
        now = self._clock()
        count = self._counts.setdefault(key, _Count(now))
        self._counts.move_to_end(key)
        if len(self._counts) > MAX_COUNTS:
            self._counts.popitem(last=False)
        count.requests += 1
        is_early = fault.for_s is None or now - count.first_at < fault.for_s
        return is_early and (fault.times is None or count.requests <= fault.times)
