"""Do one thing at a time for several owners: owners take turns, and each owner's requests keep their order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.jobs.fair_queue import FairQueue


@dataclass(eq=False)
class _Waiter:
    owner: str | None
    granted: asyncio.Future[None]


class FairLock:
    """A lock that waiting owners get in turns."""

    def __init__(self) -> None:
        self._waiting: FairQueue[_Waiter] = FairQueue()
        self._is_taken = False

    @asynccontextmanager
    async def hold(self, owner: str | None) -> AsyncIterator[None]:
        """Wait for a turn, and hold it."""
        waiter = _Waiter(owner, asyncio.get_running_loop().create_future())
        self._waiting.push(waiter)
        self._grant_next()
        try:
            await waiter.granted
            yield
        finally:
            if not self._waiting.remove(waiter):
                self._is_taken = False
            self._grant_next()

    def _grant_next(self) -> None:
        if not self._is_taken and self._waiting:
            self._is_taken = True
            waiter = self._waiting.pop()
            # Its task may have been cancelled a moment ago; then it returns its turn at once.
            if not waiter.granted.done():
                waiter.granted.set_result(None)
