"""A job's progress, for those who wait for it. Independent of transport and clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from server.jobs.stage_percents import FIRST_GUESS, StagePercents


@dataclass(frozen=True)
class JobProgress:
    """A job's position while it waits, then its stage and step.

    position: in the queue, 1 is the next; None while it runs. step, steps: within the stage. percents: of its stages.
    """

    running: bool = False
    position: int | None = None
    stage: str | None = None
    step: int = 0
    steps: int = 0
    percents: StagePercents = field(default_factory=lambda: FIRST_GUESS)

    @property
    def percent(self) -> int:
        begin, end = self.percents.get(self.stage or "", (0, 0))
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
