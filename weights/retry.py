"""Retry what the network broke, a bounded number of times with growing delays."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from weights.errors import UnreachableError

DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)

Result = TypeVar("Result")


def with_retries(
    attempt: Callable[[], Result],
    delays_s: Sequence[float],
    note: Callable[[str], None],
    progress_bytes: Callable[[], int] = lambda: 0,
) -> Result:
    """Call until it succeeds; raise the last UnreachableError after as many retries as there are delays.

    An attempt that moved `progress_bytes` resets the count.
    """
    failures, reached = 0, progress_bytes()
    while True:
        try:
            return attempt()
        except UnreachableError as exc:
            if progress_bytes() > reached:
                failures, reached = 0, progress_bytes()
            if failures == len(delays_s):
                raise UnreachableError(f"{exc}; tried {failures + 1} times, what has arrived is kept") from exc
            delay_s = delays_s[failures]
            failures += 1
            note(f"{exc}; trying again in {delay_s:g} s")
        time.sleep(delay_s)
