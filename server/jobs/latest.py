"""A value that changes while others wait for it. Slow readers miss intermediate values and delay nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """Keeps only the newest value. For use on one event loop."""

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
        """End `values` for every reader: there will be no further value."""
        self._closed = True
        self._wake()

    async def values(self) -> AsyncIterator[Value]:
        """Yield the current value at once, then the newest value after each change, until closed."""
        while not self._closed:
            changed = self._changed
            yield self._value
            await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
