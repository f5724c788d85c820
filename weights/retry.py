"""Trying again what the network broke, a bounded number of times, each time after a longer wait."""

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
    """Raises the last UnreachableError when as many attempts as there are delays have followed the first in vain.

    An attempt that moved `progress_bytes` was not in vain: the count starts anew.
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
