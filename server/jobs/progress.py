"""A job's progress, for those who wait for it. Independent of transport and clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

# The percentage of a whole render at which each stage begins and ends. These are estimates: 3 steps at full size, with
# four times the tokens, are assumed to take a little longer than the 8 steps before them. 100 means the clip exists.
STAGE_PERCENT = {
    "encode": (0, 5),
    "stage_1": (5, 40),
    "upsample": (40, 42),
    "stage_2": (42, 85),
    "decode": (85, 99),
}


@dataclass(frozen=True)
class JobProgress:
    """A job's position while it waits, then its stage and step.

    position: in the queue, 1 is the next; None while it runs. step, steps: within the stage.
    """

    running: bool = False
    position: int | None = None
    stage: str | None = None
    step: int = 0
    steps: int = 0

    @property
    def percent(self) -> int:
        begin, end = STAGE_PERCENT.get(self.stage or "", (0, 0))
        return begin + (end - begin) * self.step // self.steps if self.steps else begin


class ProgressFeed:
    """A job's progress for any number of readers. Slow readers miss intermediate values and delay nobody."""

    def __init__(self) -> None:
        self._value = JobProgress()
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def value(self) -> JobProgress:
        return self._value

    def set(self, value: JobProgress) -> None:
        if value != self._value:
            self._value = value
            self.wake()

    def close(self) -> None:
        """End `values` for every reader: there will be no further value."""
        self._closed = True
        self.wake()

    async def values(self) -> AsyncIterator[JobProgress]:
        """Yield the current value at once, then the newest one after each change and each `wake`, until closed."""
        while not self._closed:
            changed = self._changed
            yield self._value
            await changed.wait()

    def wake(self) -> None:
        """Let readers look again: something beside the value has changed."""
        self._changed.set()
        self._changed = asyncio.Event()
