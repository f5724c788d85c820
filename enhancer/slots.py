"""Limit how many calls run at once, how many wait, and how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from enhancer.errors import Busy


class Slots:
    def __init__(self, name: str, running: int, waiting: int, timeout_s: float) -> None:
        self._name, self._max_waiting, self._timeout_s = name, waiting, timeout_s
        self._free = asyncio.Semaphore(running)
        self._waiting = 0

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Take a slot. Raises Busy if too many wait, or the wait takes too long."""
        if self._free.locked() and self._waiting >= self._max_waiting:
            raise Busy(f"{self._name} has too many requests waiting")
        await self._acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _acquire(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError as exc:
            raise Busy(f"{self._name} is busy with other requests") from exc
        finally:
            self._waiting -= 1
