"""A value that changes while others wait for it. Who is slow misses what was in between, and holds up nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """The newest value alone is kept. For one event loop."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def value(self) -> Value:
        return self._value

    def set(self, value: Value) -> None:
        if value != self._value:
            self._value = value
            self._wake()

    def close(self) -> None:
        """There will be no other: `values` ends for everyone."""
        self._closed = True
        self._wake()

    async def values(self) -> AsyncIterator[Value]:
        """The present value at once, then the newest each time it has changed, until closed."""
        while not self._closed:
            changed = self._changed
            yield self._value
            await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
