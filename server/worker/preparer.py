"""Prepare the job that is next while another one is on the device. Independent of what is prepared of it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipelines.errors import Cancelled
from pipelines.spec import GenerationSpec
from server.worker.messages import Prepare

T = TypeVar("T")


@dataclass
class _Preparation(Generic[T]):
    job_id: str
    prepared: Future[T] = field(init=False)
    is_dropped: bool = False


class Preparer(Generic[T]):
    """Prepares one job at a time in the executor's only thread, and keeps the last one until it is dropped or claimed.

    prepare: called with a specification, and a function to call now and then, which raises Cancelled to stop.
    """

    def __init__(
        self,
        executor: ThreadPoolExecutor,
        prepare: Callable[[GenerationSpec, Callable[[], None]], T],
        is_cancelled: Callable[[str], bool],
    ) -> None:
        self._executor, self._prepare, self._is_cancelled = executor, prepare, is_cancelled
        self._lock = threading.Lock()
        self._current: _Preparation[T] | None = None
        self._claimed: dict[str, _Preparation[T]] = {}

    def begin(self, message: Prepare) -> None:
        """Prepare this job, and drop the one before."""
        preparation: _Preparation[T] = _Preparation(message.job_id)

        def raise_if_unwanted() -> None:
            if preparation.is_dropped or self._is_cancelled(message.job_id):
                raise Cancelled("cancelled while it was prepared")

        with self._lock:
            self._drop()
            preparation.prepared = self._executor.submit(self._prepare, message.spec, raise_if_unwanted)
            self._current = preparation

    def drop(self, job_id: str) -> None:
        """Stop preparing this job, and release what is prepared of it."""
        with self._lock:
            if self._current is not None and self._current.job_id == job_id:
                self._drop()

    def claim(self, job_id: str) -> None:
        """Keep what is prepared of this job until it is taken: the device is about to begin with it."""
        with self._lock:
            if self._current is not None and self._current.job_id == job_id:
                self._claimed[job_id], self._current = self._current, None

    def take(self, job_id: str) -> T | None:
        """Return what was prepared of a claimed job, once that is done.

        Return None if it has not begun, or failed: whoever prepares the job then gets the error.
        """
        taken = self._claimed.pop(job_id, None)
        if taken is None or taken.prepared.cancel() or taken.prepared.exception() is not None:
            return None
        return taken.prepared.result()

    def _drop(self) -> None:
        if self._current is not None:
            self._current.is_dropped = True
            self._current.prepared.cancel()
            self._current = None
