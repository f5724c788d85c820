"""Cache answers, and share a call between everyone who asks for it while it runs."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass
class _Call(Generic[Value]):
    task: asyncio.Task[Value]
    callers: int = 0


class Cache(Generic[Key, Value]):
    """Keep the `size` values used last. A value that `is_kept` rejects is returned to its callers and forgotten."""

    def __init__(self, size: int, is_kept: Callable[[Value], bool]) -> None:
        self._size, self._is_kept = size, is_kept
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._calls: dict[Key, _Call[Value]] = {}

    def find(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    async def share(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Return the value of the running call for this key, or of a new one. It runs on while anyone waits for it."""
        call = self._calls.get(key) or self._begin(key, make)
        call.callers += 1
        try:
            return await asyncio.shield(call.task)
        finally:
            call.callers -= 1
            if not call.callers:
                self._end(key, call)

    async def aclose(self) -> None:
        """Cancel everyone who still waits."""
        tasks = [call.task for call in self._calls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, key: Key, make: Callable[[], Coroutine[Any, Any, Value]]) -> _Call[Value]:
        call = self._calls[key] = _Call(asyncio.create_task(make()))
        call.task.add_done_callback(lambda task: self._keep(key, task))
        return call

    def _end(self, key: Key, call: _Call[Value]) -> None:
        call.task.cancel()
        if self._calls.get(key) is call:
            del self._calls[key]

    def _keep(self, key: Key, task: asyncio.Task[Value]) -> None:
        if task.cancelled() or task.exception() or not self._is_kept(task.result()):
            return
        self._values[key] = task.result()
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
