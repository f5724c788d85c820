"""The place beside the device where a clip's file is written and verified."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Finishing:
    """A thread that finishes one clip at a time while the next one is on the device."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finishing")
        self._last: list[Future[Any]] = []

    def start(self, finish: Callable[[], T]) -> Future[T]:
        """Wait until the clip before is finished, and begin with this one."""
        wait(self._last)
        future = self._executor.submit(finish)
        self._last = [future]
        return future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._executor.shutdown()
